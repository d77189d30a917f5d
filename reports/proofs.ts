/** How the proof of path went, by mode. */
import type { Analysis, ModeView } from './analysis.ts'

export interface Proof {
  readonly mode: ModeView
  readonly shots: number
  readonly proven: number
  readonly factsHeld: number
  readonly factsFailed: number
  readonly voided: number
}

export const proofs = (run: Analysis): Proof[] =>
  run.modes.map((mode) => {
    const facts = run.record.facts.filter((fact) => fact.mode === mode.name)
    const failed = new Set(facts.filter((fact) => !fact.holds).map((fact) => fact.shot))
    const attested = new Set(facts.map((fact) => fact.shot))
    const shots = run.shots.filter((shot) => shot.mode === mode.name)
    return {
      mode,
      shots: shots.length,
      proven: shots.filter((shot) => attested.has(shot.id) && !failed.has(shot.id)).length,
      factsHeld: facts.filter((fact) => fact.holds).length,
      factsFailed: facts.filter((fact) => !fact.holds).length,
      voided: shots.filter((shot) => !shot.valid).length,
    }
  })
