/** Where the driver's own cost is a large part of the figure, the figure says little about the mode. */
import { defineCheck } from '../define.ts'
import { limits } from './limits.ts'

export default defineCheck({
  code: 'driver-floor',
  about: 'the median is near the driver’s own floor',
  judge({ measurements, weather }) {
    const p50 = measurements.find((m) => m.metric === 'latency_p50')?.value
    const floor = weather.driverFloorNs
    const known = p50 !== undefined && floor !== null
    return {
      code: 'driver-floor',
      passed: !known || p50 >= limits.floorFactor * floor,
      severity: 'note',
      limit: `p50 ≥ ${limits.floorFactor} × floor`,
      actual: known ? `${Math.round(p50 / 1000)} µs, floor ${Math.round(floor / 1000)} µs` : 'unknown',
      remedy: 'read differences between modes, not this figure alone',
    }
  },
})
