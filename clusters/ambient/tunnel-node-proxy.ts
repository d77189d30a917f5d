/** The project's own tunnel as node proxy (native/tunnel): HBONE in one thread, the checks that ztunnel makes. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Fact, Observation } from '../../harness/contracts.ts'
import { BenchError } from '../../harness/errors.ts'
import { nativeTool } from '../../harness/native.ts'
import type { Proc } from '../../harness/process.ts'
import { proxyMark } from '../netfilter/istio-ambient.ts'
import type { Pki } from '../pki/pki.ts'
import { is, none, same } from '../proof/judge.ts'
import type { Probe } from '../proof/probes.ts'
import { JsonLines } from '../providers/local/json-lines.ts'
import type { EnrolledPod } from './enrolled.ts'
import { type NodeProxy, type NodeProxySpec, nodeProxyName } from './node-proxy.ts'

/** One direction of a pod in the answer to `stats` (native/PROTOCOL.md). */
interface Direction {
  readonly accepted: number
  readonly tunnels: number
  readonly refused: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly tls: {
    readonly connections: number
    readonly handshakes: number
    readonly tls13: number
    readonly failures: number
    /** Tunnels by SPIFFE id of the peer. */
    readonly peers: Readonly<Record<string, number>>
  }
}

export interface TunnelPodStats {
  readonly outbound: Direction
  readonly inbound: Direction
  readonly plaintext: { readonly accepted: number }
}

/** A pod in the configuration of dpb-tunnel and dpb-fused. */
export function tunnelPod(pod: EnrolledPod, pki: Pki): Readonly<Record<string, unknown>> {
  const shared = {
    name: pod.name,
    address: pod.address,
    certificate: pod.identity.certificateFile,
    key: pod.identity.keyFile,
    roots: pki.rootFile,
    reaches: [{ to: pod.reaches.address, peer: pod.reaches.peer }],
    admits: [pod.admits],
  }
  switch (pod.entrance.kind) {
    case 'redirect':
      return { ...shared, netns: pod.entrance.netnsPath, mark: proxyMark, capture: true }
    case 'device': {
      const { outbound, inbound } = pod.entrance.sockets
      return { ...shared, mark: 0, outboundSocket: outbound, inboundSocket: inbound }
    }
    case 'fused':
      return { ...shared, mark: 0 }
  }
}

interface Seen {
  readonly counters: Readonly<Record<string, number>>
  readonly peers: Readonly<Record<string, number>>
}

const peersAndTls = ({ tls, refused }: Direction) => ({
  tlsConnections: tls.connections,
  handshakes: tls.handshakes,
  tls13: tls.tls13,
  handshakesFailed: tls.failures,
  tunnelsRefused: refused,
})

/** Of a pod that calls, in the words of every node proxy. */
const caller = ({ outbound }: TunnelPodStats): Seen => ({
  counters: {
    connections: outbound.accepted,
    received: outbound.bytesIn,
    sent: outbound.bytesOut,
    tunnels: outbound.tunnels,
    ...peersAndTls(outbound),
  },
  peers: outbound.tls.peers,
})

const called = ({ inbound, plaintext }: TunnelPodStats): Seen => ({
  counters: {
    tunnels: inbound.accepted,
    upstreamOpened: inbound.tunnels,
    plaintext: plaintext.accepted,
    ...peersAndTls(inbound),
  },
  peers: inbound.tls.peers,
})

/** The tunnel takes nobody without a certificate, so what it saw of identities is all there is. */
const onlyPeer = (who: string, prefix: string, now: Observation, peer: string): Fact[] => {
  const count = (key: string): number => now.counters[`${prefix}.${key}`] ?? Number.NaN
  return [
    is(`${who}: every tunnel is with ${peer}`, now, `${prefix}.peers`, peer),
    same(`${who}: every connection is mutual TLS 1.3`, {
      connections: count('tlsConnections'),
      handshakes: count('handshakes'),
      'of them TLS 1.3': count('tls13'),
    }),
    none(`${who}: no handshake failed, no tunnel was refused`, {
      'failed handshakes': count('handshakesFailed'),
      'refused tunnels': count('tunnelsRefused'),
    }),
  ]
}

/** Asks for the statistics of one pod; a proxy that is gone leaves only a state behind. */
export function tunnelProbe(
  prefix: string,
  software: string,
  stats: () => Promise<Readonly<Record<string, TunnelPodStats>>>,
  pod: string,
  pick: (stats: TunnelPodStats) => Seen,
): Probe {
  return async () => {
    const own = (await stats().catch(() => undefined))?.[pod]
    if (!own) return { states: { [`${prefix}.software`]: 'not running' } }
    const { counters, peers } = pick(own)
    return {
      counters: Object.fromEntries(Object.entries(counters).map(([key, value]) => [`${prefix}.${key}`, value])),
      states: { [`${prefix}.software`]: software, [`${prefix}.peers`]: Object.keys(peers).sort().join(' ') },
    }
  }
}

/** A tool of the tunnel's kind that has said `ready`. */
export interface TunnelTool {
  readonly proc: Proc
  readonly version: string
  stats(): Promise<Readonly<Record<string, unknown>>>
}

/** Starts dpb-tunnel or dpb-fused with its configuration. */
export async function startTunnelTool(
  { bed, node, pin }: Pick<NodeProxySpec, 'bed' | 'node' | 'pin'>,
  tool: 'tunnel' | 'fused',
  config: Readonly<Record<string, unknown>>,
): Promise<TunnelTool> {
  const folder = join(bed.stateDir, node.plan.role)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, `${tool}.json`)
  await writeFile(file, JSON.stringify(config, null, 1), { mode: 0o600 })
  const lines = new JsonLines()
  let version = ''
  const proc = await node.place.spawn({
    component: nodeProxyName(node),
    role: 'proxy',
    argv: [nativeTool(tool), '--config', file],
    pin,
    ready: /"event":\s*"ready"/,
    onLine: (line) => {
      version ||= /"version":\s*"([^"]+)"/.exec(line)?.[1] ?? ''
      if (!line.includes('"guest-gone"')) lines.onLine(line)
    },
  })
  if (version === '') throw new BenchError('failed', `${proc.name} has not said its version`, 'see its log')
  return { proc, version, stats: () => lines.ask(proc, 'stats') }
}

/** What the tool counts, in the words of every node proxy; a sidecar counts the same. */
export function tunnelNodeProxy(
  tool: TunnelTool,
  name: 'dpb-tunnel' | 'dpb-fused',
  role: 'node proxy' | 'sidecar' = 'node proxy',
): NodeProxy {
  const software = `${name} ${tool.version}`
  const stats = async () => (await tool.stats())['pods'] as Readonly<Record<string, TunnelPodStats>>
  return {
    proc: tool.proc,
    versions: { tunnel: tool.version },
    software: { claim: `the project’s own ${name}`, state: software },
    callerProbe: (prefix, pod) => tunnelProbe(prefix, software, stats, pod, caller),
    calledProbe: (prefix, pod) => tunnelProbe(prefix, software, stats, pod, called),
    callsOnly: (prefix, now, peer) => onlyPeer(`the client’s ${role}`, prefix, now, peer),
    admitsOnly: (prefix, now, peer) => onlyPeer(`the server’s ${role}`, prefix, now, peer),
  }
}

export async function startTunnelNodeProxy(spec: NodeProxySpec): Promise<NodeProxy> {
  const pods = spec.pods.map((pod) => tunnelPod(pod, spec.pki))
  return tunnelNodeProxy(await startTunnelTool(spec, 'tunnel', { pods }), 'dpb-tunnel')
}
