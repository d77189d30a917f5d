/** Mode `kata-fast`: the fast path with the device and the node proxy as two processes. */
import type { Mode } from '../../harness/contracts.ts'
import type { ProxyName } from '../ambient/mesh.ts'
import { envoyAvailable } from '../envoy/availability.ts'
import { fastPicture } from '../fast/hops.ts'
import { layFast } from '../fast/mode.ts'
import { tsiWays } from '../fast/tsi.ts'
import { sandboxAvailable } from '../sandboxes/choice.ts'
import { sandboxedSetting } from '../sandboxes/ends.ts'

const kataFast: Mode = {
  name: 'kata-fast',
  about:
    'the fast path: TSI in the sandbox, a vhost-user vsock device outside, Unix sockets to the node proxy, HBONE between nodes',
  runsOn: ['local'],
  comparedWith: 'kata-ambient',
  settings: { proxy: ['envoy', 'tunnel'], ...sandboxedSetting, tsi: tsiWays },
  async available(_provider, chosen) {
    const sandbox = await sandboxAvailable()
    return sandbox.ok && chosen?.proxy !== 'tunnel' ? envoyAvailable() : sandbox
  },
  lay: (bed, scope, _log, chosen) =>
    layFast(
      {
        mode: 'kata-fast',
        fused: false,
        proxy: (chosen?.proxy ?? 'envoy') as ProxyName,
        picture: fastPicture(false),
      },
      bed,
      scope,
      chosen,
    ),
}

export default kataFast
