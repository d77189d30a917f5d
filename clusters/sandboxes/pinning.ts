/** Which CPUs things get where applications are in sandboxes: a node is one machine, and a sandbox cannot be split. */
import type { Pin, Sandboxed } from '../../harness/contracts.ts'
import type { LocalBed, Node } from '../providers/local/bed.ts'

/**
 * With the client in a sandbox the driver is in it too, so everything of the client's node (sandbox, device, node proxy)
 * shares the driver's CPU, and the server's node has the others. Without, the driver has its own CPU, as in every mode.
 */
export const nodePin = (bed: LocalBed, node: Node, sandboxed: Sandboxed): Pin =>
  (sandboxed === 'client' || sandboxed === 'both') && node === bed.clientPod.node ? 'driver' : 'datapath'
