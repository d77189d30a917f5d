/** A fixed integer loop before and after the block: sees frequency and contention where cpufreq is hidden. */
import { defineCheck } from '../define.ts'
import { limits } from './limits.ts'

export default defineCheck({
  code: 'host-slowed',
  about: 'the CPUs were slower than at the start of the run',
  judge: ({ weather }) => ({
    code: 'host-slowed',
    passed: weather.spinRatio >= 1 - limits.spinDrift,
    severity: 'void',
    limit: `spin test within ${limits.spinDrift * 100} % of the first`,
    actual: `${(weather.spinRatio * 100).toFixed(1)} %`,
    remedy: 'wait for a cooler or quieter host',
  }),
})
