/** What the datapaths' configurations must never lose, whatever else changes in them. */
import { describe, expect, it } from 'vitest'
import type { Pki } from '../pki/pki.ts'
import { spiffeId } from '../pki/pki.ts'
import { type Bootstrap, bootstrap, type Json } from './blocks.ts'
import { nodeProxyBootstrap } from './node-proxy.ts'
import { sidecarBootstrap } from './sidecar.ts'
import { waypointBootstrap } from './waypoint.ts'

const pki: Pki = {
  rootFile: '/root.pem',
  identity: (name) => ({ spiffeId: spiffeId(name), certificateFile: `/${name}.pem`, keyFile: `/${name}.key` }),
}
const target = { host: '10.10.2.20', httpPort: 8080, tcpPort: 8081 }
const server = spiffeId('server')
const client = spiffeId('client')

const all: Record<string, Bootstrap> = {
  sidecar: sidecarBootstrap({
    id: 'client',
    adminSocket: '/a',
    pki,
    own: pki.identity('client'),
    calls: { target, peer: server },
    serves: { target, peer: server },
  }),
  'node proxy': nodeProxyBootstrap('n', '/a', pki, [
    {
      name: 'client',
      address: '10.10.1.10',
      entrance: { kind: 'redirect', netnsPath: '/run/netns/x' },
      identity: pki.identity('client'),
      reaches: { address: '10.10.2.20', peer: server },
      admits: client,
    },
  ]),
  waypoint: waypointBootstrap({
    id: 'w',
    adminSocket: '/a',
    pki,
    own: pki.identity('waypoint'),
    httpPort: 8080,
    admits: client,
    reaches: server,
  }),
}

/** Every object below a value that has the key. */
function having(key: string, value: unknown): Json[] {
  if (Array.isArray(value)) return value.flatMap((item) => having(key, item))
  if (typeof value !== 'object' || value === null) return []
  const object = value as Json
  return [...(key in object ? [object] : []), ...Object.values(object).flatMap((item) => having(key, item))]
}

describe.each(Object.entries(all))('%s', (_name, spec) => {
  const config = bootstrap(spec)

  it('speaks TLS 1.3 only, with its own certificate, and checks the other side', () => {
    const contexts = having('tls_params', config)
    expect(contexts.length).toBeGreaterThan(0)
    for (const context of contexts) {
      expect(context['tls_params']).toEqual({
        tls_minimum_protocol_version: 'TLSv1_3',
        tls_maximum_protocol_version: 'TLSv1_3',
      })
      expect(having('match_typed_subject_alt_names', context)).toHaveLength(1)
      expect(having('trusted_ca', context)).toHaveLength(1)
    }
    for (const downstream of having('require_client_certificate', config))
      expect(downstream['require_client_certificate']).toBe(true)
  })

  it('names the exact peer wherever it calls out', () => {
    for (const cluster of config['static_resources'] ? having('circuit_breakers', config) : [])
      for (const { matcher } of having('san_type', cluster)) expect(matcher).toHaveProperty('exact')
  })

  it('keeps its admin interface on a socket that only its user may open', () => {
    expect(config['admin']).toEqual({ address: { pipe: { path: '/a', mode: 0o600 } } })
  })
})

it('puts every socket of the node proxy into the pod, marked', () => {
  const config = bootstrap(all['node proxy'] as Bootstrap)
  const addresses = having('socket_address', config).map((found) => found['socket_address'] as Json)
  expect(addresses.length).toBeGreaterThan(0)
  for (const address of addresses) expect(address['network_namespace_filepath']).toBe('/run/netns/x')
  const sources = having('source_address', config)
  expect(sources).toHaveLength(2)
  for (const source of sources) {
    expect(having('int_value', source)).toMatchObject([{ level: 1, name: 36, int_value: 0x539 }])
    expect((source['source_address'] as Json)['network_namespace_filepath']).toBe('/run/netns/x')
  }
})

it('answers 400 to a tunnel whose authority is not the pod’s', () => {
  const [connectManager] = having('upgrade_configs', all['node proxy']).filter((found) => 'stat_prefix' in found)
  const routes = having('match', connectManager)
  expect(routes).toHaveLength(2)
  expect(JSON.stringify(routes[0])).toContain('10.10.1.10:')
  expect(routes[1]).toMatchObject({ direct_response: { status: 400 } })
})
