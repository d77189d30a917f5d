/** dpb-fused: node proxy and vsock device in one process (native/fused). */
import type { NodeProxy, NodeProxySpec } from '../ambient/node-proxy.ts'
import {
  startTunnelNodeProxy,
  startTunnelTool,
  type TunnelTool,
  tunnelNodeProxy,
  tunnelPod,
} from '../ambient/tunnel-node-proxy.ts'
import type { DeviceStats } from '../proof/device-facts.ts'
import { admitSandbox, type DeviceGuest, deviceGuest, type VsockDevice } from '../sandboxes/device.ts'
import type { Occupant } from './occupant.ts'

/** The tool as the device of one guest. */
const deviceOf = (tool: TunnelTool, guest: DeviceGuest): VsockDevice => ({
  proc: tool.proc,
  version: tool.version,
  vhost: guest.devices[0]?.socket ?? '',
  hybrid: guest.hybrid,
  stats: async () => {
    const own = ((await tool.stats())['guests'] as Readonly<Record<string, DeviceStats>>)[guest.name]
    if (!own) throw new Error(`the device does not know ${guest.name}`)
    return own
  },
})

/** Moves the residents in: each gives the folder of its sockets, and boots when the tool serves them all. */
async function moveInto(spec: NodeProxySpec, residents: readonly Occupant[]): Promise<TunnelTool> {
  const guests: DeviceGuest[] = []
  let allKnown: (() => void) | undefined
  const known = new Promise<void>((resolve) => {
    allKnown = resolve
  })
  const pods = spec.pods.map((pod) => tunnelPod(pod, spec.pki))
  const started = known.then(() => startTunnelTool(spec, 'fused', { guests, pods }))
  await Promise.all(
    residents.map((occupant) =>
      occupant.moveInto(async (dwelling) => {
        // a guest belongs to the pod of its name
        const guest = { ...deviceGuest(dwelling, occupant.pod.address), name: occupant.pod.role }
        guests.push(guest)
        if (guests.length === residents.length) allKnown?.()
        const tool = await started
        admitSandbox(guest)
        return deviceOf(tool, guest)
      }),
    ),
  )
  return started
}

/**
 * The node proxy of a node whose sandboxed pods it serves itself; ordinary pods of the node are served beside. A node
 * without a sandboxed pod gets the tunnel alone.
 */
export const fusedNodeProxies =
  (occupants: readonly Occupant[]) =>
  async (spec: NodeProxySpec): Promise<NodeProxy> => {
    const residents = occupants.filter(({ pod }) => spec.pods.some(({ name }) => name === pod.role))
    if (residents.length === 0) return startTunnelNodeProxy(spec)
    return tunnelNodeProxy(await moveInto(spec, residents), 'dpb-fused')
  }
