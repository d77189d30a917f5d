/** Mode `kata-fast-fused`: the fast path with the device and the node proxy in one process. */
import type { Mode } from '../../harness/contracts.ts'
import { fastPicture } from '../fast/hops.ts'
import { layFast } from '../fast/mode.ts'
import { tsiWays } from '../fast/tsi.ts'
import { sandboxAvailable } from '../sandboxes/choice.ts'
import { sandboxedSetting } from '../sandboxes/ends.ts'

const kataFastFused: Mode = {
  name: 'kata-fast-fused',
  about: 'the fast path fused: device and node proxy are one process, from the sandbox’s rings into HBONE and back',
  runsOn: ['local'],
  comparedWith: 'kata-ambient',
  settings: { proxy: ['tunnel'], ...sandboxedSetting, tsi: tsiWays },
  available: () => sandboxAvailable(),
  lay: (bed, scope, _log, chosen) =>
    layFast({ mode: 'kata-fast-fused', fused: true, proxy: 'tunnel', picture: fastPicture(true) }, bed, scope, chosen),
}

export default kataFastFused
