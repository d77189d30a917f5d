/**
 * The node proxy of ambient in Envoy's words: one process in the node's namespace whose sockets live in the pods
 * (listeners 15001, 15006, 15008 and all upstream connections), HBONE between nodes. It does what ztunnel does: mTLS with
 * the pod's own identity, CONNECT with the original destination as authority, the client's source address kept, and 400
 * for an authority that is not the pod's.
 */
import { ambientPorts, proxyMark } from '../netfilter/istio-ambient.ts'
import type { Identity, Pki } from '../pki/pki.ts'
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
  setFilterState,
  socketAddress,
  staticCluster,
  tcpProxy,
} from './blocks.ts'
import { clientTls, serverTls } from './tls.ts'

export interface EnrolledPod {
  /** Prefix of all its listeners, clusters and statistics. */
  readonly name: string
  readonly address: string
  readonly netnsPath: string
  readonly identity: Identity
  /** Whom its outbound tunnels must reach: the peer's SPIFFE id, and a fixed address where a waypoint stands between. */
  readonly reaches: { readonly peer: string; readonly via?: string }
  /** Who may come in through its 15008. */
  readonly admits: string
}

const hboneOutbound = (pod: EnrolledPod, pki: Pki): Json => {
  const fields = {
    transport_socket: clientTls(pod.identity, pki, ['h2'], pod.reaches.peer),
    upstream_bind_config: bindTo('0.0.0.0', pod.netnsPath, proxyMark),
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

function listeners(pod: EnrolledPod, pki: Pki): Json[] {
  const inPod = (name: string, port: number, direction: string, rest: Json): Json => ({
    name: `${pod.name}_${name}`,
    stat_prefix: `${pod.name}_${name}`,
    address: socketAddress('0.0.0.0', port, pod.netnsPath),
    traffic_direction: direction,
    ...rest,
  })
  const ownAuthority = { headers: [{ name: ':authority', string_match: { prefix: `${pod.address}:` } }] }
  const tunnel = {
    hostname: '%DOWNSTREAM_LOCAL_ADDRESS%',
    headers_to_add: [
      { header: { key: 'forwarded', value: 'for="%DOWNSTREAM_REMOTE_ADDRESS%"' } },
      { header: { key: 'baggage', value: `k8s.pod.name=${pod.name}` } },
    ],
  }
  return [
    inPod('outbound', ambientPorts.outbound, 'OUTBOUND', {
      listener_filters: [originalDst],
      filter_chains: [
        { filters: [tcpProxy(`${pod.name}_outbound`, `${pod.name}_hbone`, { tunneling_config: tunnel })] },
      ],
    }),
    inPod('plaintext', ambientPorts.inboundPlaintext, 'INBOUND', {
      listener_filters: [originalDst, originalSource(proxyMark)],
      filter_chains: [{ filters: [tcpProxy(`${pod.name}_plaintext`, `${pod.name}_application`)] }],
    }),
    inPod('hbone', ambientPorts.inboundHbone, 'INBOUND', {
      listener_filters: [originalSource(proxyMark)],
      filter_chains: [
        {
          transport_socket: serverTls(pod.identity, pki, ['h2']),
          filters: [
            onlyPeer(`${pod.name}_hbone`, pod.admits),
            http({
              prefix: `${pod.name}_hbone`,
              routes: [connectRoute(`${pod.name}_application`, ownAuthority), wrongAuthority],
              filters: [setFilterState('envoy.network.transport_socket.original_dst_address', '%REQ(:AUTHORITY)%')],
              fields: hboneServer,
            }),
          ],
        },
      ],
    }),
  ]
}

/** Bootstrap of one node's proxy for all pods enrolled on it. */
export function nodeProxyBootstrap(id: string, adminSocket: string, pki: Pki, pods: readonly EnrolledPod[]): Bootstrap {
  return {
    id,
    adminSocket,
    listeners: pods.flatMap((pod) => listeners(pod, pki)),
    clusters: pods.flatMap((pod) => [
      hboneOutbound(pod, pki),
      originalDstCluster(`${pod.name}_application`, {
        upstream_bind_config: bindTo('0.0.0.0', pod.netnsPath, proxyMark),
      }),
    ]),
  }
}
