/**
 * Istio's sidecar in Envoy's words, in the listener structure that istiod pushes: virtualOutbound on 15001 hands over to
 * a listener per service port, virtualInbound on 15006 has a filter chain per port (STRICT mTLS) and reaches the
 * application from 127.0.0.6. Istio's own extensions (metadata exchange, istio_stats) are not in the upstream Envoy.
 */
import type { Target } from '../../harness/contracts.ts'
import type { DeviceSockets } from '../ambient/enrolled.ts'
import { sidecarPorts } from '../netfilter/istio-sidecar.ts'
import type { Identity, Pki } from '../pki/pki.ts'
import {
  type Bootstrap,
  bindTo,
  http,
  http1Upstream,
  type Json,
  onlyPeer,
  originalDst,
  originalDstCluster,
  pipe,
  proxyProtocol,
  routeAll,
  socketAddress,
  staticCluster,
  tcpProxy,
  tlsInspector,
  upstreamProxyProtocol,
} from './blocks.ts'
import { clientTls, serverTls } from './tls.ts'

export interface SidecarSpec {
  readonly id: string
  readonly adminSocket: string
  readonly pki: Pki
  readonly own: Identity
  /** The service that this pod's application may call, and whose certificate it must show. */
  readonly calls: { readonly target: Target; readonly peer: string }
  /** The ports this pod serves, and who may call them. */
  readonly serves: { readonly target: Target; readonly peer: string }
  /** Where the application is, if not beside the sidecar: in a sandbox, behind these sockets of its vsock device. */
  readonly device?: DeviceSockets
}

/** ALPN of Istio's sidecars: HTTP/1.1 inside, or opaque TCP. */
const alpn = { http: ['istio-http/1.1', 'istio'], tcp: ['istio'] } as const

const blackHole = 'BlackHoleCluster'
const blackHoleChain = (port: number): Json => ({
  name: 'blackhole',
  filter_chain_match: { destination_port: port },
  filters: [tcpProxy('blackhole', blackHole)],
})

function outbound({ target }: SidecarSpec['calls'], device: DeviceSockets | undefined): Json[] {
  const handOver = (name: string, address: string, port: number, filter: Json): Json => ({
    name,
    address: socketAddress(address, port),
    bind_to_port: false,
    traffic_direction: 'OUTBOUND',
    filter_chains: [{ filters: [filter] }],
  })
  return [
    {
      name: 'virtualOutbound',
      stat_prefix: 'virtual_outbound',
      // the folder of a device's sockets decides who gets there
      address: device ? pipe(device.outbound, 0o666) : socketAddress('0.0.0.0', sidecarPorts.outbound),
      ...(device ? { listener_filters: [proxyProtocol] } : {}),
      traffic_direction: 'OUTBOUND',
      use_original_dst: true,
      filter_chains: [blackHoleChain(sidecarPorts.outbound), { filters: [tcpProxy('passthrough', blackHole)] }],
    },
    handOver(
      `0.0.0.0_${target.httpPort}`,
      '0.0.0.0',
      target.httpPort,
      http({ prefix: 'outbound', routes: [routeAll('outbound_http')] }),
    ),
    handOver(`${target.host}_${target.tcpPort}`, target.host, target.tcpPort, tcpProxy('outbound', 'outbound_tcp')),
  ]
}

function inbound({ own, pki, serves }: SidecarSpec): Json {
  const chain = (name: string, port: number, protocols: readonly string[], filter: Json): Json => ({
    name,
    filter_chain_match: { destination_port: port, transport_protocol: 'tls' },
    transport_socket: serverTls(own, pki, protocols),
    filters: [onlyPeer('inbound', serves.peer), filter],
  })
  const fields = {
    forward_client_cert_details: 'APPEND_FORWARD',
    set_current_client_cert_details: { subject: true, dns: true, uri: true },
  }
  return {
    name: 'virtualInbound',
    stat_prefix: 'virtual_inbound',
    address: socketAddress('0.0.0.0', sidecarPorts.inbound),
    traffic_direction: 'INBOUND',
    listener_filters: [originalDst, tlsInspector],
    filter_chains: [
      blackHoleChain(sidecarPorts.inbound),
      chain(
        'http',
        serves.target.httpPort,
        alpn.http,
        http({ prefix: 'inbound', routes: [routeAll('inbound_http')], fields }),
      ),
      chain('tcp', serves.target.tcpPort, alpn.tcp, tcpProxy('inbound', 'inbound_tcp')),
    ],
  }
}

/** Bootstrap of one pod's sidecar. Statistics: `http|tcp.outbound`, `http|tcp.inbound`, clusters `{out,in}bound_{http,tcp}`. */
export function sidecarBootstrap(spec: SidecarSpec): Bootstrap {
  const { own, pki, calls } = spec
  const call = (name: string, port: number, protocols: readonly string[], fields: Json = {}): Json =>
    staticCluster(name, socketAddress(calls.target.host, port), {
      transport_socket: clientTls(own, pki, protocols, calls.peer),
      ...fields,
    })
  const serve = (name: string, port: number, fields: Json = {}): Json => {
    const behind = spec.device?.inboundPorts.find((inbound) => inbound.port === port)
    return behind
      ? staticCluster(name, pipe(behind.socket), { transport_socket: upstreamProxyProtocol, ...fields })
      : originalDstCluster(name, { upstream_bind_config: bindTo('127.0.0.6'), ...fields })
  }
  return {
    id: spec.id,
    adminSocket: spec.adminSocket,
    listeners: [...outbound(calls, spec.device), inbound(spec)],
    clusters: [
      call('outbound_http', calls.target.httpPort, ['istio-http/1.1'], {
        typed_extension_protocol_options: http1Upstream,
      }),
      call('outbound_tcp', calls.target.tcpPort, alpn.tcp),
      serve('inbound_http', spec.serves.target.httpPort, { typed_extension_protocol_options: http1Upstream }),
      serve('inbound_tcp', spec.serves.target.tcpPort),
      staticCluster(blackHole, undefined),
    ],
  }
}
