/**
 * Two modes compared, paired by block: the block is the unit of replication, because within it both saw the same
 * weather. Callers pass one number per block and mode, of valid shots only, never of block 0.
 */
import { signFlipP } from './sign-flip.ts'
import { defaultConfidence, type Estimate, estimateGeometric, estimateMean, standardDeviation } from './summary.ts'
import { tQuantile } from './t-quantile.ts'

/** Block number → the one value of that block. */
export type ByBlock = ReadonlyMap<number, number>

export interface Paired extends Estimate {
  /** Sign-flip permutation p of «no difference»; null with fewer than eight pairs. */
  readonly p: number | null
}

/** Pairs of the blocks that both have, in block order. */
export function pairByBlock(subject: ByBlock, reference: ByBlock): readonly (readonly [number, number])[] {
  return [...subject.entries()]
    .sort(([a], [b]) => a - b)
    .flatMap(([block, value]) => {
      const other = reference.get(block)
      return other === undefined ? [] : [[value, other] as const]
    })
}

/** subject − reference: mean of the differences with its t interval; null without a pair. */
export function pairedDifference(subject: ByBlock, reference: ByBlock, confidence = defaultConfidence): Paired | null {
  const differences = pairByBlock(subject, reference).map(([a, b]) => a - b)
  if (differences.length === 0) return null
  return { ...estimateMean(differences, confidence), p: signFlipP(differences) }
}

/** subject ÷ reference: geometric mean of the ratios with its t interval on the log scale; null without a pair. */
export function pairedRatio(subject: ByBlock, reference: ByBlock, confidence = defaultConfidence): Paired | null {
  const pairs = pairByBlock(subject, reference)
  if (pairs.length === 0 || pairs.some(([a, b]) => !(a > 0 && b > 0))) return null
  const ratios = pairs.map(([a, b]) => a / b)
  return { ...estimateGeometric(ratios, confidence), p: signFlipP(ratios.map(Math.log)) }
}

/** Whether the interval leaves room for «no difference» (0 for differences, 1 for ratios). */
export const includes = (estimate: Estimate, value: number): boolean => estimate.low <= value && value <= estimate.high

/** Smallest effect (log ratio) seen with 80 % power by this many pairs of that spread (methodology rule 16). */
export function minimalDetectableEffect(logRatios: readonly number[], confidence = defaultConfidence): number {
  const n = logRatios.length
  if (n < 2) return Number.POSITIVE_INFINITY
  const reach = tQuantile((1 + confidence) / 2, n - 1) + tQuantile(0.8, n - 1)
  return (reach / Math.sqrt(n)) * standardDeviation(logRatios)
}
