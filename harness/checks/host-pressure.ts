/** Other work on the host during the window. PSI is only shown: the run's own load raises it (methodology rule 21). */
import { defineCheck } from '../define.ts'
import { limits } from './limits.ts'

export default defineCheck({
  code: 'host-pressure',
  about: 'processes that are not the run’s used the CPUs',
  judge({ weather }) {
    const psi = weather.cpuPressurePercent === null ? '' : `; PSI before the block ${weather.cpuPressurePercent} %`
    return {
      code: 'host-pressure',
      passed: weather.foreignShare <= limits.foreignShare,
      severity: 'void',
      limit: `foreign CPU ≤ ${limits.foreignShare * 100} %`,
      actual: `${(weather.foreignShare * 100).toFixed(1)} %${psi}`,
      remedy: 'stop other work on this machine',
    }
  },
})
