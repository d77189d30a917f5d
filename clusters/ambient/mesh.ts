/**
 * Ambient on the local provider: in-Pod rules in the application pods and a node proxy per node whose sockets live in
 * them. Modes ambient and waypoint share it; who reaches whom is what they differ in.
 */
import type { Fact, Observation, Traffic } from '../../harness/contracts.ts'
import { ambientInPod, ambientPorts } from '../netfilter/istio-ambient.ts'
import { iptablesVersion, layRules } from '../netfilter/netfilter.ts'
import type { Pki } from '../pki/pki.ts'
import { admitsOnlyByTls, callsOnlyByTls } from '../proof/envoy-facts.ts'
import { changes, equal, is, none, same, sameBytes, served, some } from '../proof/judge.ts'
import { listenersProbe, type Probe, rulesProbe, socketCountProbe } from '../proof/probes.ts'
import { type LocalBed, type Node, nodeStack, type Pod } from '../providers/local/bed.ts'
import type { EnrolledPod } from './enrolled.ts'
import { startEnvoyNodeProxy } from './envoy-node-proxy.ts'
import type { NodeProxy, NodeProxySpec } from './node-proxy.ts'
import { startTunnelNodeProxy } from './tunnel-node-proxy.ts'

/** Whom the client's tunnels must reach (directly or by a waypoint), and who may enter the server pod. */
export interface Reach {
  readonly client: { readonly peer: string; readonly via?: string }
  readonly serverAdmits: string
}

export type ProxyName = 'envoy' | 'tunnel'

export interface AmbientMesh {
  readonly versions: Readonly<Record<string, string>>
  readonly probes: readonly Probe[]
  standing(now: Observation): Fact[]
}

const starters: Readonly<Record<ProxyName, (spec: NodeProxySpec) => Promise<NodeProxy>>> = {
  envoy: startEnvoyNodeProxy,
  tunnel: startTunnelNodeProxy,
}

const enrolled = (bed: LocalBed, pod: Pod, pki: Pki, reach: Reach): EnrolledPod => ({
  name: pod.role,
  address: pod.address,
  entrance: { kind: 'redirect', netnsPath: pod.netnsPath },
  identity: pki.identity(pod.role),
  reaches: { address: (pod === bed.clientPod ? bed.serverPod : bed.clientPod).address, ...reach.client },
  admits: reach.serverAdmits,
})

/** Lays rules and node proxies: one on each node that has a pod. */
export async function layAmbient(
  bed: LocalBed,
  pki: Pki,
  reach: Reach,
  proxy: ProxyName = 'envoy',
): Promise<AmbientMesh> {
  const { clientPod, serverPod } = bed
  const start = (node: Node, pods: readonly Pod[]) =>
    starters[proxy]({ bed, node, pki, pods: pods.map((pod) => enrolled(bed, pod, pki, reach)) })
  const oneNode = clientPod.node === serverPod.node
  const [, , clientProxy, otherProxy, iptables] = await Promise.all([
    layRules(clientPod.place, ambientInPod),
    layRules(serverPod.place, ambientInPod),
    start(clientPod.node, oneNode ? [clientPod, serverPod] : [clientPod]),
    oneNode ? undefined : start(serverPod.node, [serverPod]),
    iptablesVersion(clientPod.place),
  ])
  const serverProxy = otherProxy ?? clientProxy
  const ports = [ambientPorts.outbound, ambientPorts.inboundPlaintext, ambientPorts.inboundHbone]
  return {
    versions: { ...clientProxy.versions, iptables, rules: ambientInPod.source },
    probes: [
      rulesProbe('client', clientPod.place, ambientInPod),
      rulesProbe('server', serverPod.place, ambientInPod),
      clientProxy.callerProbe('client-node-proxy', 'client'),
      serverProxy.calledProbe('server-node-proxy', 'server'),
      listenersProbe('client', clientPod.stack, () => clientProxy.proc.pid, ports),
      listenersProbe('server', serverPod.stack, () => serverProxy.proc.pid, ports),
      socketCountProbe('client-node', nodeStack(bed, clientPod.node)),
      socketCountProbe('server-node', nodeStack(bed, serverPod.node)),
    ],
    standing: (now) => ambientStanding(now, clientProxy.software),
  }
}

/** Standing facts of both pods and node proxies. */
const ambientStanding = (now: Observation, software: NodeProxy['software']): Fact[] => [
  is('the client pod holds exactly istio-cni’s in-Pod rules', now, 'client.rules', ''),
  is('the server pod holds exactly istio-cni’s in-Pod rules', now, 'server.rules', ''),
  is(`the client’s node proxy is ${software.claim}`, now, 'client-node-proxy.software', software.state),
  is(`the server’s node proxy is ${software.claim}`, now, 'server-node-proxy.software', software.state),
  is('15001, 15006 and 15008 in the client pod belong to the node proxy', now, 'client.listeners', 'held'),
  is('15001, 15006 and 15008 in the server pod belong to the node proxy', now, 'server.listeners', 'held'),
  none('the node proxies have no socket outside the pods', {
    'TCP sockets in the client’s node': now.counters['client-node.sockets'] ?? Number.NaN,
    'in the server’s node': now.counters['server-node.sockets'] ?? Number.NaN,
  }),
]

export interface Expectation {
  readonly clientReaches: string
  readonly serverAdmits: string
  /** Whose address the application must see: the client pod's, or the waypoint's. */
  readonly source: { readonly claim: string; readonly address: string }
  /** A waypoint joins or splits connections: then tunnels at the server need not equal the driver's connections. */
  readonly endToEnd: boolean
}

/** Which way the traffic went, as seen by the rules, node proxies, wire and server. */
export function ambientTravelled(
  before: Observation,
  after: Observation,
  traffic: Traffic,
  expected: Expectation,
): Fact[] {
  const change = changes(before, after)
  return [
    same('the client pod’s in-Pod rule captured every connection of the driver, and each became one HBONE tunnel', {
      driver: traffic.connections,
      'redirect to 15001': change('client.redirect-15001'),
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
      'remembered by mark 0x111': change('server.connmark-set'),
      'accepted by the server': change('echo.connections'),
    }),
    none('nothing entered the server pod in plaintext', {
      'redirect to 15006': change('server.redirect-15006'),
      'accepted on 15006': change('server-node-proxy.plaintext'),
    }),
    none('nothing took another way: the client pod was not called, the server pod called nobody, no DNS was asked', {
      'client pod redirect to 15006': change('client.redirect-15006'),
      'server pod redirect to 15001': change('server.redirect-15001'),
      DNS: ['client', 'server'].reduce((sum, pod) => sum + change(`${pod}.dns-udp`) + change(`${pod}.dns-tcp`), 0),
    }),
    some('replies were kept in the server pod by mark 0x111', {
      'packets marked': change('server.connmark-restore'),
    }),
    none('the client pod accepted nothing from its node proxy', {
      'packets marked': change('client.connmark-set') + change('client.connmark-restore'),
    }),
    is(expected.source.claim, after, 'echo.peers', expected.source.address),
    ...callsOnlyByTls('the client’s node proxy', 'client-node-proxy', after, expected.clientReaches),
    ...admitsOnlyByTls('the server’s node proxy', 'server-node-proxy', after, expected.serverAdmits),
    none('no application byte is readable on the wire', { 'plaintext packets': change('wire.plaintext') }),
    none('no byte on the wire is outside HBONE', { 'other TCP packets with payload': change('wire.other') }),
    some('the traffic crossed the wire', { 'TCP packets': change('wire.tcp'), HBONE: change('wire.hbone') }),
  ]
}
