/**
 * The node proxy of ambient in Envoy's words: one process in the node's namespace whose sockets live in the pods
 * (listeners 15001, 15006, 15008 and all upstream connections), HBONE between nodes. For a pod behind a vsock device the
 * application's side is the device's Unix sockets, and HBONE's side lives in the node with the pod's address. It does what ztunnel does: mTLS with
 * the pod's own identity, CONNECT with the original destination as authority, the client's source address kept, and 400
 * for an authority that is not the pod's.
 */
import type { DeviceSockets, EnrolledPod } from '../ambient/enrolled.ts'
import { ambientPorts, proxyMark } from '../netfilter/istio-ambient.ts'
import type { Pki } from '../pki/pki.ts'
import {
  type Bootstrap,
  bindTo,
  http,
  http2Upstream,
  http2Windows,
  type Json,
  onlyPeer,
  originalDst,
  originalDstCluster,
  originalSource,
  pipe,
  proxyProtocol,
  setFilterState,
  socketAddress,
  staticCluster,
  tcpProxy,
  upstreamProxyProtocol,
} from './blocks.ts'
import { clientTls, serverTls } from './tls.ts'

/** Source of HBONE connections. */
const hboneSource = ({ entrance, address }: EnrolledPod): Json =>
  entrance.kind === 'redirect' ? bindTo('0.0.0.0', entrance.netnsPath, proxyMark) : bindTo(address)

const hboneOutbound = (pod: EnrolledPod, pki: Pki): Json => {
  const fields = {
    transport_socket: clientTls(pod.identity, pki, ['h2'], pod.reaches.peer),
    upstream_bind_config: hboneSource(pod),
    typed_extension_protocol_options: http2Upstream,
  }
  const name = `${pod.name}_hbone`
  return pod.reaches.via
    ? staticCluster(name, socketAddress(pod.reaches.via, ambientPorts.inboundHbone), fields)
    : originalDstCluster(name, {
        original_dst_lb_config: { upstream_port_override: ambientPorts.inboundHbone },
        ...fields,
      })
}

/** HTTP/2 server side of HBONE: CONNECT only; limits of ztunnel 1.30.3. */
export const hboneServer = {
  codec_type: 'HTTP2',
  upgrade_configs: [{ upgrade_type: 'CONNECT' }],
  http2_protocol_options: { allow_connect: true, max_concurrent_streams: 200, ...http2Windows },
}

/** Ends a tunnel: CONNECT becomes a raw connection of the cluster. */
export const connectRoute = (cluster: string, match: Json = {}): Json => ({
  match: { connect_matcher: {}, ...match },
  route: { cluster, timeout: '0s', upgrade_configs: [{ upgrade_type: 'CONNECT', connect_config: {} }] },
})

const wrongAuthority: Json = { match: { connect_matcher: {} }, direct_response: { status: 400 } }

/** Outbound streams as tunnels: CONNECT with the original destination. */
const outboundChain = (pod: EnrolledPod): Json => ({
  filters: [
    tcpProxy(`${pod.name}_outbound`, `${pod.name}_hbone`, {
      tunneling_config: {
        hostname: '%DOWNSTREAM_LOCAL_ADDRESS%',
        headers_to_add: [
          { header: { key: 'forwarded', value: 'for="%DOWNSTREAM_REMOTE_ADDRESS%"' } },
          { header: { key: 'baggage', value: `k8s.pod.name=${pod.name}` } },
        ],
      },
    }),
  ],
})

/** Ends tunnels: who may come is judged once per connection, where to goes by the routes, all else gets 400. */
const hboneChain = (pod: EnrolledPod, pki: Pki, routes: readonly Json[], filters: readonly Json[]): Json => ({
  transport_socket: serverTls(pod.identity, pki, ['h2']),
  filters: [
    onlyPeer(`${pod.name}_hbone`, pod.admits),
    http({ prefix: `${pod.name}_hbone`, routes: [...routes, wrongAuthority], filters, fields: hboneServer }),
  ],
})

const authority = (match: Json): Json => ({ headers: [{ name: ':authority', string_match: match }] })

const named = (pod: EnrolledPod, name: string, direction: string): Json => ({
  name: `${pod.name}_${name}`,
  stat_prefix: `${pod.name}_${name}`,
  traffic_direction: direction,
})

function redirected(pod: EnrolledPod, pki: Pki, netnsPath: string): Pieces {
  const application = `${pod.name}_application`
  const inPod = (port: number): Json => socketAddress('0.0.0.0', port, netnsPath)
  return {
    listeners: [
      {
        ...named(pod, 'outbound', 'OUTBOUND'),
        address: inPod(ambientPorts.outbound),
        listener_filters: [originalDst],
        filter_chains: [outboundChain(pod)],
      },
      {
        ...named(pod, 'plaintext', 'INBOUND'),
        address: inPod(ambientPorts.inboundPlaintext),
        listener_filters: [originalDst, originalSource(proxyMark)],
        filter_chains: [{ filters: [tcpProxy(`${pod.name}_plaintext`, application)] }],
      },
      {
        ...named(pod, 'hbone', 'INBOUND'),
        address: inPod(ambientPorts.inboundHbone),
        listener_filters: [originalSource(proxyMark)],
        filter_chains: [
          hboneChain(
            pod,
            pki,
            [connectRoute(application, authority({ prefix: `${pod.address}:` }))],
            [setFilterState('envoy.network.transport_socket.original_dst_address', '%REQ(:AUTHORITY)%')],
          ),
        ],
      },
    ],
    clusters: [
      hboneOutbound(pod, pki),
      originalDstCluster(application, { upstream_bind_config: bindTo('0.0.0.0', netnsPath, proxyMark) }),
    ],
  }
}

/** Statistics of all ports of an application behind a device add up under one name. */
const perPort = (pod: EnrolledPod, port: number): string => `${pod.name}_application_${port}`

function behindDevice(pod: EnrolledPod, pki: Pki, sockets: DeviceSockets): Pieces {
  return {
    listeners: [
      {
        ...named(pod, 'outbound', 'OUTBOUND'),
        address: pipe(sockets.outbound, 0o666), // the folder decides who gets there
        listener_filters: [proxyProtocol],
        filter_chains: [outboundChain(pod)],
      },
      {
        ...named(pod, 'hbone', 'INBOUND'),
        address: socketAddress(pod.address, ambientPorts.inboundHbone),
        filter_chains: [
          hboneChain(
            pod,
            pki,
            sockets.inboundPorts.map(({ port }) =>
              connectRoute(perPort(pod, port), authority({ exact: `${pod.address}:${port}` })),
            ),
            [],
          ),
        ],
      },
    ],
    clusters: [
      hboneOutbound(pod, pki),
      ...sockets.inboundPorts.map(({ port, socket }) =>
        staticCluster(perPort(pod, port), pipe(socket), {
          alt_stat_name: `${pod.name}_application`,
          transport_socket: upstreamProxyProtocol,
        }),
      ),
    ],
  }
}

interface Pieces {
  readonly listeners: readonly Json[]
  readonly clusters: readonly Json[]
}

function piecesOf(pod: EnrolledPod, pki: Pki): Pieces {
  const { entrance } = pod
  if (entrance.kind === 'fused') throw new Error('Envoy is no vsock device')
  return entrance.kind === 'redirect'
    ? redirected(pod, pki, entrance.netnsPath)
    : behindDevice(pod, pki, entrance.sockets)
}

/** Bootstrap of one node's proxy for all pods enrolled on it. */
export function nodeProxyBootstrap(id: string, adminSocket: string, pki: Pki, pods: readonly EnrolledPod[]): Bootstrap {
  const pieces = pods.map((pod) => piecesOf(pod, pki))
  return {
    id,
    adminSocket,
    listeners: pieces.flatMap(({ listeners }) => listeners),
    clusters: pieces.flatMap(({ clusters }) => clusters),
  }
}
