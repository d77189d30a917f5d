/** Ambient with its mTLS taken out: the traffic flows as before, and the facts must see that it is not what it claims. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { drive, failed, type LaidMode, layMode, loads } from '../testing/laid-mode.ts'
import ambient from './ambient.ts'

vi.mock('../envoy/tls.ts', () => {
  const plain = () => ({
    name: 'envoy.transport_sockets.raw_buffer',
    typed_config: { '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer' },
  })
  return { serverTls: plain, clientTls: plain }
})
vi.mock('../envoy/blocks.ts', async (original) => {
  const blocks = await original<typeof import('../envoy/blocks.ts')>()
  const everybody = { policies: { all: { permissions: [{ any: true }], principals: [{ any: true }] } } }
  return {
    ...blocks,
    onlyPeer: (prefix: string) =>
      blocks.extension('envoy.filters.network.rbac', 'envoy.extensions.filters.network.rbac.v3.RBAC', {
        stat_prefix: `${prefix}.`,
        rules: { action: 'ALLOW', ...everybody },
      }),
  }
})

let laid: LaidMode
beforeAll(async () => {
  laid = await layMode(ambient)
})
afterAll(() => laid.scope.close())

it('is seen although every request is answered', async () => {
  const load = loads['tcp request/response']
  if (!load) throw new Error('no load')
  const { facts, done } = await drive(laid, load)
  expect(done).toBeGreaterThan(0)
  const claims = failed(facts).join('\n')
  expect(claims).toMatch(/every upstream connection is TLS 1.3/)
  expect(claims).toMatch(/every connection it accepted is TLS 1.3/)
})
