/** Seeded numbers for fixtures: the same run every time. */
import { random } from '../../harness/random.ts'

export interface Random {
  /** Uniform in [0, 1). */
  uniform(): number
  normal(): number
}

export function seeded(seed: number): Random {
  const uniform = random(seed)
  return {
    uniform,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  }
}
