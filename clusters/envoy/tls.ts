/** Mutual TLS 1.3 with SPIFFE identities, as Istio's proxies speak it. */
import type { Identity, Pki } from '../pki/pki.ts'
import { type Json, typed } from './blocks.ts'

const common = (own: Identity, pki: Pki, alpn: readonly string[], peers: readonly Json[]): Json => ({
  alpn_protocols: alpn,
  tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
  tls_certificates: [{ certificate_chain: { filename: own.certificateFile }, private_key: { filename: own.keyFile } }],
  validation_context: {
    trusted_ca: { filename: pki.rootFile },
    match_typed_subject_alt_names: peers.map((matcher) => ({ san_type: 'URI', matcher })),
  },
})

/** Server side: a client certificate of the trust domain is required. Who exactly may enter is said by `onlyPeer`. */
export const serverTls = (own: Identity, pki: Pki, alpn: readonly string[]): Json => ({
  name: 'envoy.transport_sockets.tls',
  typed_config: typed('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', {
    require_client_certificate: true,
    common_tls_context: common(own, pki, alpn, [{ prefix: 'spiffe://cluster.local/' }]),
  }),
})

/** Client side: the server must be exactly this SPIFFE id. */
export const clientTls = (own: Identity, pki: Pki, alpn: readonly string[], peer: string): Json => ({
  name: 'envoy.transport_sockets.tls',
  typed_config: typed('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', {
    common_tls_context: common(own, pki, alpn, [{ exact: peer }]),
  }),
})
