/** Path pictures as the modes draw them, from the same rule sets and hops. */
import { capture, clientNodeProxy, marked, serverNodeProxy } from '../../clusters/ambient/hops.ts'
import { sidecarRedirect } from '../../clusters/netfilter/istio-sidecar.ts'
import { client, counter, node, picture, ruleHop, server, wire } from '../../clusters/proof/picture.ts'
import type { Hop, PathPicture } from '../../harness/contracts.ts'

const rule = (id: string, pod: 'client' | 'server') => ruleHop(sidecarRedirect, id, pod, `${pod} pod`)

const sidecarProxy = (pod: 'client' | 'server', label: string, detail: string): Hop => ({
  id: `${pod}-sidecar`,
  lane: `${pod} pod`,
  kind: 'proxy',
  label,
  detail,
  counters: [
    counter(`${pod}-sidecar.connections`, 'accepted', 'connections'),
    counter(`${pod}-sidecar.requests`, 'HTTP requests', 'requests'),
    counter(`${pod}-sidecar.received`, 'from the client', 'bytes'),
    counter(`${pod}-sidecar.handshakes`, 'TLS 1.3', 'handshakes'),
  ],
})

const waypointHop: Hop = {
  id: 'waypoint',
  lane: 'server node',
  kind: 'proxy',
  label: 'waypoint Envoy :15008',
  detail: 'own pod on the server’s node: connect_terminate → main_internal (L7) → connect_originate',
  counters: [
    counter('waypoint.tunnels', 'CONNECT', 'requests'),
    counter('waypoint.requests', 'HTTP requests', 'requests'),
  ],
}

export const pictures: Readonly<Record<string, PathPicture>> = {
  baseline: picture([
    { hop: client('plain connection to the server pod'), carries: 'plaintext' },
    { hop: node('client node'), carries: 'plaintext' },
    { hop: wire(), carries: 'plaintext' },
    { hop: node('server node'), carries: 'plaintext' },
    { hop: server(), carries: 'plaintext' },
  ]),
  sidecar: picture([
    { hop: client('connects to the server’s address'), carries: 'plaintext' },
    { hop: rule('rule-9', 'client'), carries: 'plaintext' },
    { hop: rule('redirect-15001', 'client'), carries: 'plaintext' },
    {
      hop: sidecarProxy(
        'client',
        'Envoy sidecar, outbound :15001',
        'HTTP or TCP by port, mTLS to the server’s identity',
      ),
      carries: 'mtls',
    },
    { hop: rule('rule-4', 'client'), carries: 'mtls' },
    { hop: node('client node'), carries: 'mtls' },
    { hop: wire(), carries: 'mtls' },
    { hop: node('server node'), carries: 'mtls' },
    { hop: rule('inbound', 'server'), carries: 'mtls' },
    { hop: rule('redirect-15006', 'server'), carries: 'mtls' },
    {
      hop: sidecarProxy('server', 'Envoy sidecar, inbound :15006', 'STRICT mTLS; calls the application from 127.0.0.6'),
      carries: 'plaintext',
    },
    { hop: rule('rule-1', 'server'), carries: 'plaintext' },
    { hop: server(), carries: 'plaintext' },
  ]),
  ambient: picture([
    { hop: client('connects to the server’s address'), carries: 'plaintext' },
    { hop: capture, carries: 'plaintext' },
    { hop: clientNodeProxy, carries: 'hbone', link: 'HBONE to :15008' },
    { hop: node('client node'), carries: 'hbone' },
    { hop: wire(), carries: 'hbone' },
    { hop: node('server node'), carries: 'hbone' },
    { hop: serverNodeProxy, carries: 'plaintext' },
    { hop: marked, carries: 'plaintext' },
    { hop: server(), carries: 'plaintext' },
  ]),
  waypoint: picture([
    { hop: client('connects to the server’s address'), carries: 'plaintext' },
    { hop: capture, carries: 'plaintext' },
    { hop: clientNodeProxy, carries: 'hbone', link: 'HBONE to the waypoint' },
    { hop: node('client node'), carries: 'hbone' },
    { hop: wire(), carries: 'hbone' },
    { hop: waypointHop, carries: 'hbone', link: 'HBONE to the server' },
    { hop: serverNodeProxy, carries: 'plaintext' },
    { hop: marked, carries: 'plaintext' },
    { hop: server(), carries: 'plaintext' },
  ]),
}
