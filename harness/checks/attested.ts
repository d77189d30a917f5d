/** Every fact about the path must hold: traffic that went another way is not this mode's. */
import { defineCheck } from '../define.ts'

export default defineCheck({
  code: 'not-attested',
  about: 'a fact about the path does not hold',
  judge({ facts }) {
    const failed = facts.filter((fact) => !fact.holds)
    return {
      code: 'not-attested',
      passed: facts.length > 0 && failed.length === 0,
      severity: 'void',
      limit: 'every fact holds',
      actual: failed.length > 0 ? failed.map((fact) => fact.claim).join('; ') : `${facts.length} facts hold`,
      remedy: 'see facts.csv for the evidence',
    }
  },
})
