/** A fixed integer loop before and after each shot: sees frequency and neighbours where the host hides them. */
import { defineCheck } from '../define.ts'
import { limits } from './limits.ts'

export default defineCheck({
  code: 'host-slowed',
  about: 'the CPUs were slower beside this shot than at their best in the run',
  judge({ weather: { spinRatio } }) {
    const squeezed = spinRatio < limits.spinVoidRatio
    return {
      code: 'host-slowed',
      passed: spinRatio >= limits.spinNoteRatio,
      severity: squeezed ? 'void' : 'note',
      limit: `spin test ≥ ${limits.spinVoidRatio * 100} % of the fastest (said below ${limits.spinNoteRatio * 100} %)`,
      actual: `${(spinRatio * 100).toFixed(1)} %`,
      remedy: 'wait for a cooler or quieter host; more --blocks narrow what remains',
    }
  },
})
