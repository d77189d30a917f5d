/** A CPU quota that bites looks like a slow datapath. */
import { defineCheck } from '../define.ts'

export default defineCheck({
  code: 'throttled',
  about: 'a CPU quota stopped the run',
  judge: ({ weather }) => ({
    code: 'throttled',
    passed: (weather.throttledSeconds ?? 0) === 0,
    severity: 'void',
    limit: '0 s throttled',
    actual: weather.throttledSeconds === null ? 'unknown' : `${weather.throttledSeconds} s`,
    remedy: 'raise the CPU quota of the container this runs in',
  }),
})
