/** The driver's own delay must be small beside what it measures. */
import { defineCheck } from '../define.ts'
import { limits } from './limits.ts'

export default defineCheck({
  code: 'late-sends',
  about: 'requests left later than planned',
  judge({ planned, measurements }) {
    const value = (metric: string): number | undefined => measurements.find((m) => m.metric === metric)?.value
    const late = value('lateness_p99')
    const limitNs = Math.max(limits.latenessNs, limits.latenessShareOfP50 * (value('latency_p50') ?? 0))
    return {
      code: 'late-sends',
      passed: planned.cell.loop === 'closed' || late === undefined || late <= limitNs,
      severity: 'void',
      limit: `lateness p99 ≤ ${Math.round(limitNs / 1000)} µs`,
      actual: late === undefined ? 'no lateness' : `${Math.round(late / 1000)} µs`,
      remedy: 'wait for a quiet host, or lower --rate',
    }
  },
})
