/** Every name and address that the local provider puts on the machine; ARCHITECTURE.md lists them. */
import { join } from 'node:path'

/** Root of the state of live runs: on tmpfs, so keys never reach a disk. */
export const stateRoot = '/run/datapath-bench'
/** Where iproute2 keeps named network namespaces. */
export const netnsRoot = '/run/netns'
/** All namespaces and control groups of the project begin so. */
export const prefix = 'dpb'

/** User and group of every sandbox: an ordinary one, nobody's own, not that of any proxy. */
export const sandboxUid = 65_530

export const stateDir = (runId: string): string => join(stateRoot, runId)
export const netnsName = (runId: string, role: string): string => `${prefix}-${runId}-${role}`
export const netnsPath = (name: string): string => join(netnsRoot, name)

/** A node: one network namespace with a bridge for its pods and a leg on the underlay. */
export interface NodePlan {
  readonly role: 'n1' | 'n2'
  readonly gateway: string
  readonly subnet: string
  readonly underlay: string
}

export const nodePlans: readonly [NodePlan, NodePlan] = [
  { role: 'n1', gateway: '10.10.1.1', subnet: '10.10.1.0/24', underlay: '172.30.0.1' },
  { role: 'n2', gateway: '10.10.2.1', subnet: '10.10.2.0/24', underlay: '172.30.0.2' },
]

/** Host number of each pod in its node's subnet. */
export const podHosts = { client: 10, server: 20, waypoint: 50 } as const
export type PodRole = keyof typeof podHosts

/** Address of a pod on a node, e.g. 10.10.2.20. */
export const podAddress = (node: NodePlan, pod: PodRole): string => node.gateway.replace(/\.1$/, `.${podHosts[pod]}`)

/** Ports of the echo server: native/PROTOCOL.md. */
export const echoPorts = { http: 8080, tcp: 8081 } as const
