/** A mode that refuses looks fast. */
import { defineCheck } from '../define.ts'
import { limits } from './limits.ts'

export default defineCheck({
  code: 'errors',
  about: 'requests failed',
  judge({ firing }) {
    const failed = Object.values(firing.errors).reduce((sum, count) => sum + count, 0)
    const total = Math.max(firing.planned, firing.done + failed, 1)
    const kinds = Object.entries(firing.errors).map(([kind, count]) => `${count} ${kind}`)
    const measured = firing.done > 0 || firing.streamBytes > 0 || firing.connectionsDone > 0
    return {
      code: 'errors',
      passed: measured && failed / total <= limits.errorShare,
      severity: 'void',
      limit: `≤ ${limits.errorShare * 100} % of requests`,
      actual: kinds.length > 0 ? kinds.join(', ') : measured ? 'none' : 'nothing was answered',
      remedy: 'lower --rate, or see the logs with --keep',
    }
  },
})
