/** Hops of the path picture that ambient and waypoint share. */
import type { Hop } from '../../harness/contracts.ts'
import { ambientInPod } from '../netfilter/istio-ambient.ts'
import { counter, ruleHop } from '../proof/picture.ts'

export const capture = ruleHop(ambientInPod, 'redirect-15001', 'client', 'client pod')

/** The node proxy's process is in the node, its sockets in the pod: drawn where the packets are. */
export const clientNodeProxy: Hop = {
  id: 'client-node-proxy',
  lane: 'client pod',
  kind: 'proxy',
  label: 'node proxy, outbound :15001',
  detail: 'process in the node, sockets in the pod (SO_MARK 0x539); CONNECT over HTTP/2, mTLS with the pod’s identity',
  counters: [
    counter('client-node-proxy.connections', 'accepted', 'connections'),
    counter('client-node-proxy.tunnels', 'CONNECT', 'requests'),
    counter('client-node-proxy.received', 'from the client', 'bytes'),
  ],
}

export const serverNodeProxy: Hop = {
  id: 'server-node-proxy',
  lane: 'server pod',
  kind: 'proxy',
  label: 'node proxy, HBONE :15008',
  detail: 'ends the tunnel in the pod, keeps the source address (mark 0x539)',
  counters: [
    counter('server-node-proxy.tunnels', 'CONNECT', 'requests'),
    counter('server-node-proxy.upstreamOpened', 'to the application', 'connections'),
  ],
}

export const marked = ruleHop(ambientInPod, 'connmark-set', 'server', 'server pod')
