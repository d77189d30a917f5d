/** An open loop must have sent what it planned. */
import { defineCheck } from '../define.ts'
import { limits } from './limits.ts'

export default defineCheck({
  code: 'rate-not-held',
  about: 'the driver did not send what was planned',
  judge({ planned, firing }) {
    const share = firing.planned > 0 ? firing.sent / firing.planned : 1
    return {
      code: 'rate-not-held',
      passed: planned.cell.loop === 'closed' || share >= limits.sentShare,
      severity: 'void',
      limit: `sent ≥ ${limits.sentShare * 100} % of planned`,
      actual: planned.cell.loop === 'closed' ? 'closed loop' : `${firing.sent} of ${firing.planned}`,
      remedy: 'lower --rate or --load',
    }
  },
})
