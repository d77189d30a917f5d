/**
 * The pieces of an Envoy bootstrap (v3 API, Envoy 1.40) that all datapaths share. Fields keep Envoy's own names; what is
 * not set here stays at Envoy's default.
 */
export type Json = { readonly [key: string]: unknown }

/** A typed extension: `type` without the type.googleapis.com prefix. */
export const typed = (type: string, fields: Json = {}): Json => ({ '@type': `type.googleapis.com/${type}`, ...fields })

export const extension = (name: string, type: string, fields: Json = {}): Json => ({
  name,
  typed_config: typed(type, fields),
})

/** An address; `netns` makes the socket inside that named network namespace (needs CAP_SYS_ADMIN). */
export const socketAddress = (address: string, port: number, netns?: string): Json => ({
  socket_address: { address, port_value: port, ...(netns ? { network_namespace_filepath: netns } : {}) },
})

/** A Unix socket; `mode` is of a listener's file. */
export const pipe = (path: string, mode?: number): Json => ({ pipe: { path, ...(mode === undefined ? {} : { mode }) } })

/** Takes source and original destination from a PROXY header, which must be there. */
export const proxyProtocol = extension(
  'envoy.filters.listener.proxy_protocol',
  'envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol',
  { disallowed_versions: ['V1'] },
)

/** Begins each upstream connection with a PROXY v2 header that names the downstream connection's ends. */
export const upstreamProxyProtocol = extension(
  'envoy.transport_sockets.upstream_proxy_protocol',
  'envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport',
  {
    config: { version: 'V2' },
    transport_socket: extension(
      'envoy.transport_sockets.raw_buffer',
      'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer',
    ),
  },
)

export const originalDst = extension(
  'envoy.filters.listener.original_dst',
  'envoy.extensions.filters.listener.original_dst.v3.OriginalDst',
)

export const tlsInspector = extension(
  'envoy.filters.listener.tls_inspector',
  'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector',
)

/** Upstream sockets take the client's own address and carry this SO_MARK. */
export const originalSource = (mark: number): Json =>
  extension('envoy.filters.listener.original_src', 'envoy.extensions.filters.listener.original_src.v3.OriginalSrc', {
    mark,
  })

const router = extension('envoy.filters.http.router', 'envoy.extensions.filters.http.router.v3.Router', {})

/** Copies a header into filter state, e.g. the CONNECT authority into the original destination. */
export const setFilterState = (key: string, format: string, shared?: 'TRANSITIVE'): Json =>
  extension('envoy.filters.http.set_filter_state', 'envoy.extensions.filters.http.set_filter_state.v3.Config', {
    on_request_headers: [
      {
        object_key: key,
        format_string: { text_format_source: { inline_string: format } },
        ...(shared ? { shared_with_upstream: shared } : {}),
      },
    ],
  })

/** Lets only this SPIFFE id through, judged once per connection; counts as `<prefix>rbac.allowed` and `.denied`. */
export const onlyPeer = (prefix: string, spiffeId: string): Json =>
  extension('envoy.filters.network.rbac', 'envoy.extensions.filters.network.rbac.v3.RBAC', {
    stat_prefix: `${prefix}.`,
    rules: {
      action: 'ALLOW',
      policies: {
        peer: {
          permissions: [{ any: true }],
          principals: [{ authenticated: { principal_name: { exact: spiffeId } } }],
        },
      },
    },
  })

export const tcpProxy = (prefix: string, cluster: string, fields: Json = {}): Json =>
  extension('envoy.filters.network.tcp_proxy', 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
    stat_prefix: prefix,
    cluster,
    ...fields,
  })

export interface HttpFilterChain {
  readonly prefix: string
  readonly routes: readonly Json[]
  readonly filters?: readonly Json[]
  readonly fields?: Json
}

/** An HTTP connection manager with its routes; streams and requests have no time limit, as Istio sets for sidecars. */
export const http = ({ prefix, routes, filters = [], fields = {} }: HttpFilterChain): Json =>
  extension(
    'envoy.filters.network.http_connection_manager',
    'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    {
      stat_prefix: prefix,
      stream_idle_timeout: '0s',
      route_config: { name: prefix, virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
      http_filters: [...filters, router],
      ...fields,
    },
  )

export const routeAll = (cluster: string): Json => ({ match: { prefix: '/' }, route: { cluster, timeout: '0s' } })

/** Circuit breakers out of the way, as Istio configures its clusters. */
const noBreakers = {
  thresholds: [
    {
      max_connections: 4294967295,
      max_pending_requests: 4294967295,
      max_requests: 4294967295,
      max_retries: 4294967295,
    },
  ],
}

const upstreamHttp = (config: Json): Json => ({
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': typed(
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
    { explicit_http_config: config },
  ),
})

export const http1Upstream = upstreamHttp({ http_protocol_options: {} })

/** Windows of ztunnel 1.30.3 (4 MiB per stream, 16 MiB per connection), 100 streams per connection as its pool. */
export const http2Windows = {
  initial_stream_window_size: 4 * 1024 * 1024,
  initial_connection_window_size: 16 * 1024 * 1024,
}
export const http2Upstream = upstreamHttp({
  http2_protocol_options: { allow_connect: true, max_concurrent_streams: 100, ...http2Windows },
})

const base = (name: string, fields: Json): Json => ({
  name,
  connect_timeout: '5s',
  circuit_breakers: noBreakers,
  ...fields,
})

/** A cluster with fixed endpoints. */
export const staticCluster = (name: string, address: Json | undefined, fields: Json = {}): Json =>
  base(name, {
    type: 'STATIC',
    ...(address
      ? { load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] } }
      : {}),
    ...fields,
  })

/** A cluster that goes where the connection wanted to go. */
export const originalDstCluster = (name: string, fields: Json = {}): Json =>
  base(name, { type: 'ORIGINAL_DST', lb_policy: 'CLUSTER_PROVIDED', ...fields })

/** Source address of upstream sockets: in a pod's namespace and with a mark, where given. */
export const bindTo = (address: string, netns?: string, mark?: number): Json => ({
  source_address: { address, port_value: 0, ...(netns ? { network_namespace_filepath: netns } : {}) },
  // SOL_SOCKET 1, SO_MARK 36 (asm-generic/socket.h)
  ...(mark === undefined
    ? {}
    : { socket_options: [{ description: 'SO_MARK', level: 1, name: 36, int_value: mark, state: 'STATE_PREBIND' }] }),
})

export interface Bootstrap {
  readonly id: string
  readonly adminSocket: string
  readonly listeners: readonly Json[]
  readonly clusters: readonly Json[]
  readonly extensions?: readonly Json[]
}

/** The whole configuration file. */
export const bootstrap = ({ id, adminSocket, listeners, clusters, extensions }: Bootstrap): Json => ({
  node: { id, cluster: 'datapath-bench' },
  admin: { address: { pipe: { path: adminSocket, mode: 0o600 } } },
  static_resources: { listeners, clusters },
  ...(extensions ? { bootstrap_extensions: extensions } : {}),
  overload_manager: {
    resource_monitors: [
      extension(
        'envoy.resource_monitors.global_downstream_max_connections',
        'envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig',
        { max_active_downstream_connections: 50_000 },
      ),
    ],
  },
})
