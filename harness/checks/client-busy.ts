/** A driver near its limit measures itself. In a closed loop it is meant to be busy, so there it is only said. */
import { defineCheck } from '../define.ts'
import { limits } from './limits.ts'

export default defineCheck({
  code: 'client-busy',
  about: 'the driver used most of its core',
  judge({ planned, firing }) {
    const { cpuSeconds, spinSeconds, wallSeconds } = firing
    const share = cpuSeconds === null || wallSeconds <= 0 ? null : Math.max(0, cpuSeconds - spinSeconds) / wallSeconds
    return {
      code: 'client-busy',
      passed: share === null || share <= limits.driverCoreShare,
      severity: planned.cell.loop === 'open' ? 'void' : 'note',
      limit: `≤ ${limits.driverCoreShare * 100} % of a core`,
      actual: share === null ? 'unknown' : `${Math.round(share * 100)} %`,
      remedy: 'lower --rate',
    }
  },
})
