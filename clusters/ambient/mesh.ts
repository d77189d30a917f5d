/**
 * Ambient on the local provider: a node proxy per node, HBONE between them, and two ends whose applications reach it by
 * rules in their pod or by a sandbox's device. Who reaches whom, and by which end, is what the modes differ in.
 */
import type { Fact, Observation, Pin, Traffic } from '../../harness/contracts.ts'
import type { Pki } from '../pki/pki.ts'
import { changes, equal, is, none, same, sameBytes, served, some } from '../proof/judge.ts'
import type { Probe } from '../proof/probes.ts'
import type { LocalBed, Node } from '../providers/local/bed.ts'
import type { MeshEnd } from './end.ts'
import type { EnrolledPod } from './enrolled.ts'
import { startEnvoyNodeProxy } from './envoy-node-proxy.ts'
import type { NodeProxy, NodeProxySpec } from './node-proxy.ts'
import { startTunnelNodeProxy } from './tunnel-node-proxy.ts'

export type ProxyName = 'envoy' | 'tunnel'

/** Whom the client's tunnels must reach (directly or by a waypoint), and who may enter the server pod. */
export interface Reach {
  readonly client: { readonly peer: string; readonly via?: string }
  readonly serverAdmits: string
}

export interface MeshPlan {
  readonly bed: LocalBed
  readonly pki: Pki
  readonly reach: Reach
  readonly client: MeshEnd
  readonly server: MeshEnd
  readonly startProxy: (spec: NodeProxySpec) => Promise<NodeProxy>
  /** Left out: with the datapath. */
  readonly pinOf?: (node: Node) => Pin
}

export interface AmbientMesh {
  readonly versions: Readonly<Record<string, string>>
  readonly probes: readonly Probe[]
  standing(now: Observation): Fact[]
  travelled(before: Observation, after: Observation, traffic: Traffic, expected: Expectation): Fact[]
}

export const nodeProxies: Readonly<Record<ProxyName, MeshPlan['startProxy']>> = {
  envoy: startEnvoyNodeProxy,
  tunnel: startTunnelNodeProxy,
}

const enrolled = ({ pki, reach }: MeshPlan, own: MeshEnd, other: MeshEnd): EnrolledPod => ({
  name: own.prefix,
  address: own.pod.address,
  entrance: own.entrance,
  identity: pki.identity(own.pod.role),
  reaches: { address: other.pod.address, ...reach.client },
  admits: reach.serverAdmits,
})

/** Lays both ends and the node proxies: one on each node that has a pod. */
export async function layAmbient(plan: MeshPlan): Promise<AmbientMesh> {
  const { bed, pki, client, server, startProxy, pinOf = () => 'datapath' as const } = plan
  const pods = [enrolled(plan, client, server), enrolled(plan, server, client)] as const
  const oneNode = client.pod.node === server.pod.node
  const startOn = (node: Node, enrolledThere: readonly EnrolledPod[]) =>
    startProxy({ bed, node, pki, pods: enrolledThere, pin: pinOf(node) })
  // an address that a node proxy listens on must be there before it
  await Promise.all([client.lay(), server.lay()])
  const [clientProxy, otherProxy] = await Promise.all([
    startOn(client.pod.node, oneNode ? pods : [pods[0]]),
    oneNode ? undefined : startOn(server.pod.node, [pods[1]]),
  ])
  const serverProxy = otherProxy ?? clientProxy
  return {
    versions: { ...clientProxy.versions, ...server.versions, ...client.versions },
    probes: [
      ...client.probes(clientProxy),
      ...server.probes(serverProxy),
      clientProxy.callerProbe('client-node-proxy', client.prefix),
      serverProxy.calledProbe('server-node-proxy', server.prefix),
    ],
    standing: (now) => [
      ...client.standing(now),
      ...server.standing(now),
      ...[clientProxy, serverProxy].map(({ software }, index) => {
        const end = index === 0 ? 'client' : 'server'
        return is(`the ${end}’s node proxy is ${software.claim}`, now, `${end}-node-proxy.software`, software.state)
      }),
    ],
    travelled: (before, after, traffic, expected) => [
      ...travelled(plan, before, after, traffic, expected),
      ...clientProxy.callsOnly('client-node-proxy', after, expected.clientReaches),
      ...serverProxy.admitsOnly('server-node-proxy', after, expected.serverAdmits),
    ],
  }
}

export interface Expectation {
  readonly clientReaches: string
  readonly serverAdmits: string
  /** Whose address the application must see: the client pod's, or the waypoint's. */
  readonly source: { readonly claim: string; readonly address: string }
  /** A waypoint joins or splits connections: then tunnels at the server need not equal the driver's connections. */
  readonly endToEnd: boolean
}

/** Which way the traffic went, as seen by both ends, node proxies, wire and server. */
function travelled(
  { client, server }: MeshPlan,
  before: Observation,
  after: Observation,
  traffic: Traffic,
  expected: Expectation,
): Fact[] {
  const change = changes(before, after)
  const captured = client.captured(change)
  return [
    same(`${captured.claim}, and each became one HBONE tunnel`, {
      driver: traffic.connections,
      ...captured.counts,
      'accepted by the node proxy': change('client-node-proxy.connections'),
      'CONNECT sent': change('client-node-proxy.tunnels'),
      ...(expected.endToEnd ? { 'CONNECT received at the server': change('server-node-proxy.tunnels') } : {}),
    }),
    sameBytes('the client’s node proxy received what the driver sent', traffic, {
      driver: traffic.bytesSent,
      'node proxy': change('client-node-proxy.received'),
    }),
    sameBytes('the driver received what the client’s node proxy sent', traffic, {
      driver: traffic.bytesReceived,
      'node proxy': change('client-node-proxy.sent'),
    }),
    ...served(change, traffic, expected.endToEnd ? 'same bytes' : 'other heads'),
    equal('every tunnel at the server pod became one connection to the application', {
      'CONNECT received': change('server-node-proxy.tunnels'),
      'opened by the node proxy': change('server-node-proxy.upstreamOpened'),
      ...server.delivered(change),
      'accepted by the server': change('echo.connections'),
    }),
    none('the server’s node proxy accepted nothing in plaintext', {
      'accepted on 15006': change('server-node-proxy.plaintext'),
    }),
    ...client.calls(change, traffic),
    ...server.answers(change, traffic),
    is(expected.source.claim, after, 'echo.peers', expected.source.address),
    none('no application byte is readable on the wire', { 'plaintext packets': change('wire.plaintext') }),
    none('no byte on the wire is outside HBONE', { 'other TCP packets with payload': change('wire.other') }),
    some('the traffic crossed the wire', { 'TCP packets': change('wire.tcp'), HBONE: change('wire.hbone') }),
  ]
}
