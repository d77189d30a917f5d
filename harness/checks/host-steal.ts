/** Time that the hypervisor gave to others. */
import { defineCheck } from '../define.ts'
import { limits } from './limits.ts'

export default defineCheck({
  code: 'host-steal',
  about: 'the hypervisor took CPU time away',
  judge: ({ weather }) => ({
    code: 'host-steal',
    // a short window has less than 100 ticks: there one tick is the least that can be said, and says little
    passed: weather.stealShare <= Math.max(limits.stealShare, weather.tickShare * 1.001),
    severity: 'void',
    limit: `steal ≤ ${limits.stealShare * 100} %, or one tick of the kernel’s clock`,
    actual: `${(weather.stealShare * 100).toFixed(1)} %`,
    remedy: 'use a machine with its own cores',
  }),
})
