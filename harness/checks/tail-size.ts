/** Percentiles with too few samples beyond them are left out; here it is said. */
import { defineCheck } from '../define.ts'
import { limits } from './limits.ts'

export default defineCheck({
  code: 'tail-too-small',
  about: 'too few requests for a p99',
  judge({ firing }) {
    const needed = limits.samplesBeyond * 100
    return {
      code: 'tail-too-small',
      passed: firing.latencyHdr === null || firing.done >= needed,
      severity: 'note',
      limit: `≥ ${needed} requests for p99`,
      actual: `${firing.done} requests`,
      remedy: 'use a longer --duration or a higher --rate',
    }
  },
})
