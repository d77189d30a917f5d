/** Every rule set, for documentation and tests. */
import { ambientInPod } from './istio-ambient.ts'
import { ambientKata } from './istio-ambient-kata.ts'
import { sidecarRedirect } from './istio-sidecar.ts'
import type { RuleSet } from './rule-set.ts'

export const ruleSets: readonly RuleSet[] = [
  sidecarRedirect,
  ambientInPod,
  // the pod that shows the rules of one
  ambientKata({ address: '10.10.1.10', gateway: '10.10.1.1' }),
]
