/**
 * dpb-tunnel between real pods, as node proxy with Istio's in-Pod rules and as sidecar with istio-init's; and with Envoy at the
 * other end, either way.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { netnsPath } from '../../../clusters/providers/local/names.ts'
import { nativeTool } from '../../../harness/native.ts'
import { Scope } from '../../../harness/scope.ts'
import { ENVOY_BINARY } from '../../../setup/versions.mjs'
import { fire, layLab, start, startEnvoy, startTunnel } from '../../bench/tunnel-lab.mjs'

const run = promisify(execFile)
const applications = join(import.meta.dirname, 'applications.mjs')
/** Not pinned. */
const cpus = undefined

type Lab = Awaited<ReturnType<typeof layLab>>
type Started = Awaited<ReturnType<typeof start>>

/** What a call of the client's application comes to. */
async function call(lab: Lab, name: string): Promise<unknown> {
  const inside = [`--net=${netnsPath(lab.client.netns)}`, '--', process.execPath, applications]
  const { stdout } = await run('nsenter', [...inside, 'call', lab.server.address, name])
  return JSON.parse(stdout)
}

const http = (...rest: string[]): string[] => ['--protocol', 'http', '--warmup', '0', '--duration', '1', ...rest]

async function lay(name: string, scope: Scope, kind?: 'sidecar'): Promise<{ lab: Lab; server: Started }> {
  const lab = await layLab(scope, `tt${name}${process.pid}`, cpus, nativeTool('echo'), kind)
  const server = await start(scope, lab.server.netns, cpus, [process.execPath, applications, 'serve'])
  return { lab, server }
}

describe('as node proxy', () => {
  const scope = new Scope('tunnel test')
  let lab: Lab
  let server: Started
  beforeAll(async () => {
    ;({ lab, server } = await lay('n', scope))
  })
  afterAll(() => scope.close())

  const tunnel = (own: Scope, pod: Lab['client']) => startTunnel(own, lab, pod, cpus, nativeTool('tunnel'))
  const envoy = (own: Scope, pod: Lab['client']) => startEnvoy(own, lab, pod, cpus, ENVOY_BINARY)
  const pairs = [
    ['tunnel to tunnel', tunnel, tunnel],
    ['tunnel to Envoy', tunnel, envoy],
    ['Envoy to tunnel', envoy, tunnel],
  ] as const

  describe.each(pairs)('%s', (name, startNear, startFar) => {
    const own = scope.child(name)
    let near: Started
    let far: Started
    beforeAll(async () => {
      near = await startNear(own, lab.client)
      far = await startFar(own, lab.server)
    })
    afterAll(() => own.close())

    it('carries many sizes, half close and a server that speaks first', async () => {
      expect(await call(lab, 'echo')).toEqual([true, true, true, true, true])
      expect(await call(lab, 'greeting')).toEqual(['hello', 'all of it', 'end'])
    })

    it('ends a call to a port where nobody listens', async () => {
      expect(await call(lab, 'closed')).toMatch(/ECONNRESET|end/)
    })

    it('counts what passed, and the application sees the caller’s own address', async () => {
      const stats = async (): Promise<Record<string, never>[]> => [
        startNear === tunnel ? (await near.ask('stats')).pods.client.outbound : undefined,
        startFar === tunnel ? (await far.ask('stats')).pods.server.inbound : undefined,
      ]
      const before = await stats()
      const seen = await lab.echo.ask('stats')
      const load = http('--test', 'crr', '--connections', '8', '--payload', '20000')
      const { errors, traffic } = fire(lab, cpus, nativeTool('load'), load)
      expect(errors).toEqual({})
      expect(traffic.connections).toBeGreaterThan(100)
      for (const [index, after] of (await stats()).entries()) {
        const earlier = before[index]
        if (!after || !earlier) continue
        const change = (key: string): number => (after[key] ?? 0) - (earlier[key] ?? 0)
        expect(change('accepted')).toBe(traffic.connections)
        expect(change('tunnels')).toBe(traffic.connections)
        expect([change('bytesIn'), change('bytesOut')]).toEqual([traffic.bytesSent, traffic.bytesReceived])
        expect(change('refused')).toBe(0)
      }
      const { peers } = await lab.echo.ask('stats')
      expect(peers[lab.client.address] - (seen.peers[lab.client.address] ?? 0)).toBe(traffic.connections)
      expect(Object.keys(peers)).toEqual([lab.client.address])
    })

    it('streams both ways, and shares a connection', async () => {
      for (const test of ['stream-up', 'stream-down']) {
        const load = ['--protocol', 'tcp', '--test', test, '--connections', '2', '--warmup', '0', '--duration', '1']
        const result = fire(lab, cpus, nativeTool('load'), [...load, '--payload', '65536'])
        expect(result.errors).toEqual({})
        expect(result.streamBytes).toBeGreaterThan(1e6)
      }
      if (startNear === tunnel) {
        expect((await near.ask('stats')).pods.client.outbound.tls.connections).toBe(1)
      }
    })
  })

  describe('between two of them', () => {
    const own = scope.child('two')
    let near: Started
    let far: Started
    beforeEach(async () => {
      near ??= await tunnel(own, lab.client)
      far ??= await tunnel(own, lab.server)
    })
    afterAll(() => own.close())

    it('a reset is a reset at the other end, whoever sends it', async () => {
      expect(await call(lab, 'resets')).toBe('ECONNRESET')
      const ended = server.line()
      expect(await call(lab, 'isReset')).toBeNull()
      expect(JSON.parse(await ended)).toEqual({ ended: 'ECONNRESET' })
    })

    it('plaintext from outside the mesh reaches the application, from its own address', async () => {
      const inside = [
        `--net=${netnsPath(lab.server.node)}`,
        '--',
        'curl',
        '-s',
        '-o',
        '/dev/null',
        '-w',
        '%{http_code}',
      ]
      const { stdout } = await run('nsenter', [...inside, `http://${lab.server.address}:8080/`])
      expect(stdout).toBe('200')
      const { pods } = await far.ask('stats')
      expect(pods.server.plaintext).toEqual({ accepted: 1 })
      expect(Object.keys((await lab.echo.ask('stats')).peers)).toContain('10.10.2.1')
    })

    it('a call to the proxy’s own port leads nowhere', async () => {
      const refused = (await near.ask('stats')).pods.client.outbound.refused
      const inside = [`--net=${netnsPath(lab.client.netns)}`, '--', 'curl', '-s', '--max-time', '5']
      await expect(run('nsenter', [...inside, `http://${lab.client.address}:15001/`])).rejects.toThrow()
      expect((await near.ask('stats')).pods.client.outbound.refused).toBe(refused + 1)
    })

    it('ends on SIGTERM, with its last tunnel', async () => {
      process.kill(near.pid, 'SIGTERM')
      expect(await near.ended).toBe(0)
      process.kill(far.pid, 'SIGTERM')
      expect(await far.ended).toBe(0)
    })
  })
})

it('as sidecar, carries the same under istio-init’s rules and reaches the application from 127.0.0.6', async () => {
  const scope = new Scope('sidecar test')
  try {
    const { lab } = await lay('s', scope, 'sidecar')
    const sidecar = (pod: Lab['client']) => startTunnel(scope, lab, pod, cpus, nativeTool('tunnel'), 'sidecar')
    const near = await sidecar(lab.client)
    const far = await sidecar(lab.server)
    expect(await call(lab, 'echo')).toEqual([true, true, true, true, true])
    expect(await call(lab, 'greeting')).toEqual(['hello', 'all of it', 'end'])
    const { errors, traffic } = fire(lab, cpus, nativeTool('load'), http('--test', 'crr', '--connections', '4'))
    expect(errors).toEqual({})
    expect(Object.keys((await lab.echo.ask('stats')).peers)).toEqual(['127.0.0.6'])
    expect((await near.ask('stats')).pods.client.outbound.tunnels).toBe(traffic.connections + 5 * 16 + 1)
    expect((await far.ask('stats')).pods.server.inbound.refused).toBe(0)
  } finally {
    await scope.close()
  }
})
