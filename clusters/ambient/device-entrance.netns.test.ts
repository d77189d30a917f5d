/** The Envoy node proxy of a pod behind a vsock device, with a stand-in that does what the device does at its Unix sockets. */
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Scope } from '../../harness/scope.ts'
import { makePki, spiffeId } from '../pki/pki.ts'
import type { SandboxedPod } from '../proof/device-facts.ts'
import { type LocalBed, localBed, type Pod } from '../providers/local/bed.ts'
import local from '../providers/local/provider.ts'
import { silent } from '../testing/laid-mode.ts'
import { deviceEnd } from './device-end.ts'
import type { DeviceSockets } from './enrolled.ts'
import { layAmbient, nodeProxies } from './mesh.ts'
import { redirectedEnd } from './redirected-end.ts'

/** PROXY v2, TCP over IPv4 (haproxy's proxy-protocol.txt, 2.2). */
function proxyHeader(from: { address: string; port: number }, to: { address: string; port: number }): Buffer {
  const ip = (address: string): number[] => address.split('.').map(Number)
  const port = (value: number): number[] => [value >> 8, value & 0xff]
  const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]
  return Buffer.from([
    ...signature,
    0x21,
    0x11,
    0,
    12,
    ...ip(from.address),
    ...ip(to.address),
    ...port(from.port),
    ...port(to.port),
  ])
}

const text = (socket: Socket): Promise<string> =>
  new Promise((resolve, reject) => {
    let all = ''
    socket.on('data', (part) => {
      all += part.toString('latin1')
    })
    socket.on('end', () => resolve(all))
    socket.on('error', reject)
  })

const standIn = (pod: Pod, sockets: DeviceSockets): SandboxedPod => ({
  pod,
  entrance: { kind: 'device', sockets },
  versions: {},
  device: () => Promise.reject(new Error('no device')),
  guest: () => Promise.reject(new Error('no guest')),
})

const scopes: Scope[] = []
afterEach(async () => {
  for (const scope of scopes.splice(0)) await scope.close()
})

async function lay(which: 'client' | 'server'): Promise<{ bed: LocalBed; sockets: DeviceSockets; scope: Scope }> {
  const scope = new Scope('device entrance')
  scopes.push(scope)
  const workDir = mkdtempSync(join(tmpdir(), 'dpb-test-'))
  scope.defer('logs', () => rmSync(workDir, { recursive: true, force: true }))
  const request = { runId: `test-${process.pid}`, placement: 'cross-node', workDir, seed: 1 } as const
  const bed = localBed(await local.open(request, scope, silent))
  const at = (name: string): string => join(bed.stateDir, name)
  const sockets = { outbound: at('out'), inbound: at('in'), inboundPorts: [{ port: 8080, socket: at('in_8080') }] }
  const pki = await makePki(at('pki'), { client: 0, server: 0 })
  const behind = (pod: Pod) => deviceEnd(bed, standIn(pod, sockets), { address: bed.serverPod.address, ports: [8080] })
  const pods = { client: bed.clientPod, server: bed.serverPod }
  const end = async (role: 'client' | 'server') =>
    role === which ? behind(pods[role]) : redirectedEnd(bed, pods[role])
  await layAmbient({
    bed,
    pki,
    reach: { client: { peer: spiffeId('server') }, serverAdmits: spiffeId('client') },
    client: await end('client'),
    server: await end('server'),
    startProxy: nodeProxies.envoy,
  })
  return { bed, sockets, scope }
}

describe('a pod behind a device', () => {
  it('calls by Unix socket and PROXY header, and keeps its address', async () => {
    const { bed, sockets } = await lay('client')
    const socket = connect(sockets.outbound)
    const { address } = bed.serverPod
    socket.write(proxyHeader({ address: bed.clientPod.address, port: 41000 }, { address, port: 8080 }))
    socket.write('POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\nconnection: close\r\n\r\ndpb!')
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 .*dpb!$/s)
    expect(Object.keys((await bed.echo.stats()).peers)).toEqual([bed.clientPod.address])
    const wire = await bed.wire()
    expect(wire.hbone).toBeGreaterThan(0)
    expect(wire.plaintext + wire.other).toBe(0)
  })

  it('is called by Unix socket, with the caller’s address, and server-first protocols work', async () => {
    const { bed, sockets, scope } = await lay('server')
    const header = new Promise<Buffer>((resolve) => {
      const device = createServer({ allowHalfOpen: true }, (socket) => {
        socket.once('data', resolve)
        socket.end('220 the server speaks first')
      })
      scope.defer('stand-in of a device', () => void device.close())
      device.listen(sockets.inboundPorts[0]?.socket)
    })
    const answer = await bed.client.run([
      'python3',
      '-c',
      'import socket,sys; s=socket.create_connection((sys.argv[1],8080),5); print(s.makefile().read())',
      bed.serverPod.address,
    ])
    expect(answer).toContain('220 the server speaks first')
    const seen = await header
    expect(
      seen
        .subarray(0, 16)
        .equals(proxyHeader({ address: '0.0.0.0', port: 0 }, { address: '0.0.0.0', port: 0 }).subarray(0, 16)),
    ).toBe(true)
    expect([...seen.subarray(16, 20)].join('.')).toBe(bed.clientPod.address)
    expect([...seen.subarray(20, 24)].join('.')).toBe(bed.serverPod.address)
  })

  it('is not reached on a port that its device does not serve', async () => {
    const { bed } = await lay('server')
    const code = await bed.client
      .run([
        'python3',
        '-c',
        'import socket,sys; s=socket.create_connection((sys.argv[1],8081),5); print(len(s.recv(10)))',
        bed.serverPod.address,
      ])
      .catch((cause: Error) => cause.message)
    expect(code).toMatch(/^0$|reset/im)
  })
})
