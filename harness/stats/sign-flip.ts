/** Sign-flip permutation test of paired differences. */
import { random } from '../random.ts'

/** Fewer pairs cannot reach a small p: the smallest two-sided one is 2 / 2^n (methodology rule 13). */
export const fewestForPermutation = 8
/** Up to here every one of the 2^n sign patterns is tried; beyond, a seeded sample of them. */
const exactUpTo = 16
const sampledFlips = 20_000

/** Two-sided p of «no difference», or null with fewer than eight pairs. */
export function signFlipP(differences: readonly number[], seed = 1): number | null {
  const n = differences.length
  if (n < fewestForPermutation) return null
  const seen = Math.abs(differences.reduce((sum, value) => sum + value, 0))
  // A pattern equal to the seen one must count as extreme in spite of rounding.
  const limit = seen * (1 - 1e-12)
  if (n <= exactUpTo) return exact(differences, limit)
  const next = random(seed)
  let extreme = 1
  for (let flip = 0; flip < sampledFlips; flip++) {
    const sum = differences.reduce((total, value) => total + (next() < 0.5 ? value : -value), 0)
    if (Math.abs(sum) >= limit) extreme++
  }
  return extreme / (sampledFlips + 1)
}

function exact(differences: readonly number[], limit: number): number {
  const patterns = 2 ** differences.length
  let extreme = 0
  for (let pattern = 0; pattern < patterns; pattern++) {
    const sum = differences.reduce((total, value, index) => total + ((pattern >> index) & 1 ? value : -value), 0)
    if (Math.abs(sum) >= limit) extreme++
  }
  return extreme / patterns
}
