/** Mode `kata-sidecar-out`: Istio's sidecar moved out of the sandbox, its application reached by TSI. */
import type { Mode, Path, Sandboxed } from '../../harness/contracts.ts'
import { envoyAvailable } from '../envoy/availability.ts'
import { sidecarOutPicture } from '../fast/hops.ts'
import { occupy } from '../fast/mode.ts'
import { tsiWays } from '../fast/tsi.ts'
import { proxyUid } from '../netfilter/istio-sidecar.ts'
import { localBed, type Pod } from '../providers/local/bed.ts'
import { sandboxAvailable } from '../sandboxes/choice.ts'
import { sandboxedSetting } from '../sandboxes/ends.ts'
import { nodePin } from '../sandboxes/pinning.ts'
import { besideSidecar, outsideSandbox, type SidecarEnd } from '../sidecar/end.ts'
import { laySidecars } from '../sidecar/mesh.ts'

const kataSidecarOut: Mode = {
  name: 'kata-sidecar-out',
  about:
    'sidecar moved out of the sandbox into the pod’s namespace; TSI and the vsock device take the application to it',
  runsOn: ['local'],
  comparedWith: 'kata',
  settings: { proxy: ['envoy'], ...sandboxedSetting, tsi: tsiWays },
  async available() {
    const sandbox = await sandboxAvailable()
    return sandbox.ok ? envoyAvailable() : sandbox
  },
  async lay(testbed, scope, _log, chosen): Promise<Path> {
    const bed = localBed(testbed)
    const { ends, sandbox, occupants, of, destination } = await occupy(bed, chosen, scope, proxyUid)
    await Promise.all(occupants.map((occupant) => occupant.moveIn()))
    const server = of(bed.serverPod)
    if (server) await bed.moveServer(server.place)
    const endOf = async (pod: Pod): Promise<SidecarEnd> => {
      const occupant = of(pod)
      if (!occupant) return besideSidecar(pod)
      const facts = occupant.facts({ kind: 'device', sockets: occupant.sockets })
      return outsideSandbox(facts, destination, nodePin(bed, pod.node, ends))
    }
    const client = await endOf(bed.clientPod)
    const path = await laySidecars({
      mode: 'kata-sidecar-out',
      bed,
      client,
      server: await endOf(bed.serverPod),
      picture: sidecarOutPicture(ends),
      sandboxed: { sandbox: sandbox.name, ends: ends as Sandboxed, client: of(bed.clientPod)?.place ?? bed.client },
    })
    return path
  },
}

export default kataSidecarOut
