/**
 * Istio's waypoint in Envoy's words: connect_terminate ends HBONE, main_internal looks at the request (HTTP on the HTTP
 * port, opaque elsewhere), connect_originate opens HBONE to the destination; joined by internal listeners.
 */
import { ambientPorts } from '../netfilter/istio-ambient.ts'
import type { Identity, Pki } from '../pki/pki.ts'
import {
  type Bootstrap,
  extension,
  http,
  http1Upstream,
  http2Upstream,
  type Json,
  onlyPeer,
  originalDst,
  originalDstCluster,
  routeAll,
  setFilterState,
  socketAddress,
  staticCluster,
  tcpProxy,
} from './blocks.ts'
import { connectRoute, hboneServer } from './node-proxy.ts'
import { clientTls, serverTls } from './tls.ts'

export interface WaypointSpec {
  readonly id: string
  readonly adminSocket: string
  readonly pki: Pki
  readonly own: Identity
  readonly httpPort: number
  /** SPIFFE id of the client that may come in, and of the workload it forwards to. */
  readonly admits: string
  readonly reaches: string
}

const internalAddress = (listener: string): Json => ({
  envoy_internal_address: { server_listener_name: listener, endpoint_id: listener },
})

const rawBuffer = extension(
  'envoy.transport_sockets.raw_buffer',
  'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer',
)

const internalSocket = extension(
  'envoy.transport_sockets.internal_upstream',
  'envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport',
  { transport_socket: rawBuffer },
)

const internalCluster = (name: string, listener: string, fields: Json = {}): Json =>
  staticCluster(name, internalAddress(listener), { transport_socket: internalSocket, ...fields })

function listeners({ own, pki, httpPort, admits }: WaypointSpec): Json[] {
  const restoreDestination = setFilterState(
    'envoy.filters.listener.original_dst.local_ip',
    '%REQ(:AUTHORITY)%',
    'TRANSITIVE',
  )
  return [
    {
      name: 'connect_terminate',
      stat_prefix: 'connect_terminate',
      address: socketAddress('0.0.0.0', ambientPorts.inboundHbone),
      filter_chains: [
        {
          transport_socket: serverTls(own, pki, ['h2']),
          filters: [
            onlyPeer('connect_terminate', admits),
            http({
              prefix: 'connect_terminate',
              routes: [connectRoute('main_internal')],
              filters: [restoreDestination],
              fields: hboneServer,
            }),
          ],
        },
      ],
    },
    {
      name: 'main_internal',
      internal_listener: {},
      listener_filters: [originalDst],
      filter_chains: [
        {
          filter_chain_match: { destination_port: httpPort },
          filters: [http({ prefix: 'main_internal', routes: [routeAll('inner_http')] })],
        },
        { filters: [tcpProxy('main_internal', 'inner_tcp')] },
      ],
    },
    {
      name: 'connect_originate',
      internal_listener: {},
      listener_filters: [originalDst],
      filter_chains: [
        {
          filters: [
            tcpProxy('connect_originate', 'hbone', { tunneling_config: { hostname: '%DOWNSTREAM_LOCAL_ADDRESS%' } }),
          ],
        },
      ],
    },
  ]
}

/** Bootstrap of the waypoint. Statistics: `http.connect_terminate`, `http|tcp.main_internal`, `tcp.connect_originate`. */
export function waypointBootstrap(spec: WaypointSpec): Bootstrap {
  return {
    id: spec.id,
    adminSocket: spec.adminSocket,
    listeners: listeners(spec),
    clusters: [
      internalCluster('main_internal', 'main_internal'),
      internalCluster('inner_http', 'connect_originate', { typed_extension_protocol_options: http1Upstream }),
      internalCluster('inner_tcp', 'connect_originate'),
      originalDstCluster('hbone', {
        original_dst_lb_config: { upstream_port_override: ambientPorts.inboundHbone },
        transport_socket: clientTls(spec.own, spec.pki, ['h2'], spec.reaches),
        typed_extension_protocol_options: http2Upstream,
      }),
    ],
    extensions: [
      extension(
        'envoy.bootstrap.internal_listener',
        'envoy.extensions.bootstrap.internal_listener.v3.InternalListener',
      ),
    ],
  }
}
