/** The driver's own delay must be small beside what it measures: judged for each percentile of latency on its own. */
import { defineCheck } from '../define.ts'
import { limits } from './limits.ts'

export const latencyPercentiles = ['p50', 'p90', 'p99', 'p999'] as const
export type Percentile = (typeof latencyPercentiles)[number]

/** Largest lateness in ns that a percentile of latency may stand beside. */
export const latenessLimitNs = (latencyNs: number): number =>
  Math.max(limits.latenessNs, limits.latenessShare * latencyNs)

export default defineCheck({
  code: 'late-sends',
  about: 'requests left later than planned',
  judge({ measurements }) {
    const value = (metric: string): number | undefined => measurements.find((m) => m.metric === metric)?.value
    const late = latencyPercentiles.filter((name) => {
      const lateness = value(`lateness_${name}`)
      // service time holds no lateness of the driver, so it stands for the latency that was left out
      const latency = value(`latency_${name}`) ?? value(`service_${name}`)
      return lateness !== undefined && latency !== undefined && lateness > latenessLimitNs(latency)
    })
    const p50 = value('lateness_p50')
    const seen = latencyPercentiles.flatMap((name) => {
      const lateness = value(`lateness_${name}`)
      return lateness === undefined ? [] : [`${name} ${(lateness / 1000).toFixed(1)} µs`]
    })
    return {
      code: 'late-sends',
      passed: late.length === 0,
      severity: late.includes('p50') ? 'void' : 'note',
      limit: `lateness ≤ ${limits.latenessNs / 1000} µs or ${limits.latenessShare * 100} % of latency, at each percentile`,
      actual:
        p50 === undefined
          ? 'no lateness'
          : `${seen.join(', ')}${late.length > 0 ? `; not given: latency ${late.join(', ')}` : ''}`,
      remedy: 'wait for a quiet host, or lower --rate',
    }
  },
})
