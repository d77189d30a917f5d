/** A pod as its node proxy sees it, whichever software the node proxy is. */
import type { Identity } from '../pki/pki.ts'

/** Unix sockets of a sandbox's vsock device (native/PROTOCOL.md, dpb-vsock-tsi); each stream begins with PROXY v2. */
export interface DeviceSockets {
  /** The node proxy listens, the device connects: one connection for each call of the application. */
  readonly outbound: string
  /** The device listens; the header names the port. */
  readonly inbound: string
  /** The device listens; the socket fixes the port. */
  readonly inboundPorts: readonly { readonly port: number; readonly socket: string }[]
}

/**
 * How the application's connections come and go. `redirect`: rules in the pod redirect them to sockets that the node proxy
 * has there. `device`: they come by the vsock device, nothing of the pod uses its network stack, so the node holds the
 * pod's address and the node proxy's HBONE sockets are in the node. `fused`: the same, and the device is in the node proxy's
 * own process, so that there are no sockets either.
 */
export type Entrance =
  | { readonly kind: 'redirect'; readonly netnsPath: string }
  | { readonly kind: 'device'; readonly sockets: DeviceSockets }
  | { readonly kind: 'fused' }

export interface EnrolledPod {
  /** Prefix of all its listeners, clusters and statistics. */
  readonly name: string
  readonly address: string
  readonly entrance: Entrance
  readonly identity: Identity
  /** Whom its outbound tunnels must reach: the peer's SPIFFE id, and a fixed address where a waypoint stands between. */
  readonly reaches: { readonly address: string; readonly peer: string; readonly via?: string }
  /** Who may come in through its 15008. */
  readonly admits: string
}
