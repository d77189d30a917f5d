/** Time that the hypervisor gave to others. */
import { defineCheck } from '../define.ts'
import { limits } from './limits.ts'

export default defineCheck({
  code: 'host-steal',
  about: 'the hypervisor took CPU time away',
  judge: ({ weather }) => ({
    code: 'host-steal',
    passed: weather.stealShare <= limits.stealShare,
    severity: 'void',
    limit: `steal ≤ ${limits.stealShare * 100} %`,
    actual: `${(weather.stealShare * 100).toFixed(1)} %`,
    remedy: 'use a machine with its own cores',
  }),
})
