/** Hops of the path picture that modes with sidecars share. */
import type { Hop } from '../../harness/contracts.ts'
import { sidecarRedirect } from '../netfilter/istio-sidecar.ts'
import { counter, ruleHop } from '../proof/picture.ts'

export const sidecarRule = (id: string, pod: 'client' | 'server'): Hop =>
  ruleHop(sidecarRedirect, id, pod, `${pod} pod`)

export const clientSidecar: Hop = {
  id: 'client-sidecar',
  lane: 'client pod',
  kind: 'proxy',
  label: 'Envoy sidecar, outbound :15001',
  detail: 'HTTP or TCP by port, mTLS to the server’s identity',
  counters: [
    counter('client-sidecar.connections', 'accepted', 'connections'),
    counter('client-sidecar.requests', 'HTTP requests', 'requests'),
    counter('client-sidecar.received', 'from the client', 'bytes'),
    counter('client-sidecar.upstreamHandshakes', 'TLS 1.3', 'handshakes'),
  ],
}

export const serverSidecar: Hop = {
  id: 'server-sidecar',
  lane: 'server pod',
  kind: 'proxy',
  label: 'Envoy sidecar, inbound :15006',
  detail: 'STRICT mTLS; calls the application from 127.0.0.6',
  counters: [
    counter('server-sidecar.accepted', 'accepted', 'connections'),
    counter('server-sidecar.requests', 'HTTP requests', 'requests'),
    counter('server-sidecar.upstreamOpened', 'to the application', 'connections'),
  ],
}
