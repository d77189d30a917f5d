/** Every rule set, for documentation and tests. */
import { ambientInPod } from './istio-ambient.ts'
import { sidecarRedirect } from './istio-sidecar.ts'
import type { RuleSet } from './rule-set.ts'

export const ruleSets: readonly RuleSet[] = [sidecarRedirect, ambientInPod]
