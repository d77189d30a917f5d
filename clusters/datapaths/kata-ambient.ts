/** Mode `kata-ambient`: the standard way of a sandboxed pod into the mesh, through the guest's TCP, a tap and the pod's rules. */
import type { Mode, Path } from '../../harness/contracts.ts'
import { envoyAvailable } from '../envoy/availability.ts'
import { localPath } from '../proof/local-path.ts'
import { sandboxAvailable } from '../sandboxes/choice.ts'
import { sandboxedSetting } from '../sandboxes/ends.ts'
import { layKataMesh, meshPicture } from '../sandboxes/kata-mesh.ts'

const kataAmbient: Mode = {
  name: 'kata-ambient',
  about:
    'ambient for sandboxed pods: guest’s TCP, tap, routed pod network (l3forwarding) with its own rules, node proxies, HBONE',
  runsOn: ['local'],
  comparedWith: 'kata',
  settings: { proxy: ['envoy', 'tunnel'], ...sandboxedSetting },
  async available(_provider, chosen) {
    const sandbox = await sandboxAvailable()
    return sandbox.ok && chosen?.proxy !== 'tunnel' ? envoyAvailable() : sandbox
  },
  async lay(testbed, scope, _log, chosen): Promise<Path> {
    const laid = await layKataMesh(testbed, scope, chosen, 'l3forwarding')
    const { bed, mesh, ends, proxy, expected } = laid
    return localPath(bed, {
      mode: 'kata-ambient',
      proxy,
      sandboxed: { sandbox: ends.sandbox, ends: ends.ends, client: ends.driver },
      versions: mesh.versions,
      picture: meshPicture(laid),
      probes: mesh.probes,
      standing: mesh.standing,
      travelled: (before, after, traffic) => mesh.travelled(before, after, traffic, expected),
    })
  },
}

export default kataAmbient
