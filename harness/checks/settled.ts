/** Warm-up is found, not assumed: MSER-5 over the medians of slices (White, Cobb, Spratt 2000). */
import { defineCheck } from '../define.ts'
import { limits } from './limits.ts'

/**
 * Number of batches of five that MSER-5 cuts off: the cut d that makes the remaining mean's squared standard error,
 * Σ(x − mean)² / (n − d)², least. The last quarter is not searched: few values are alike by chance.
 */
export function settledAfter(values: readonly number[]): { readonly cut: number; readonly batches: number } {
  const batches: number[] = []
  for (let i = 0; i + 5 <= values.length; i += 5)
    batches.push(values.slice(i, i + 5).reduce((sum, value) => sum + value, 0) / 5)
  let best = { cut: 0, error: Number.POSITIVE_INFINITY }
  for (let cut = 0; cut <= batches.length * 0.75; cut++) {
    const rest = batches.slice(cut)
    const mean = rest.reduce((sum, value) => sum + value, 0) / rest.length
    const error = rest.reduce((sum, value) => sum + (value - mean) ** 2, 0) / rest.length ** 2
    if (error < best.error) best = { cut, error }
  }
  return { cut: best.cut, batches: batches.length }
}

export default defineCheck({
  code: 'never-settled',
  about: 'latency was still moving at half of the firing',
  judge({ firing }) {
    const { cut, batches } = settledAfter(firing.slices.p50Ns.filter((value) => value > 0))
    const tooFew = batches < limits.settlingBatches
    return {
      code: 'never-settled',
      passed: tooFew || cut <= batches / 2,
      severity: 'void',
      limit: 'settled within half of the firing (MSER-5)',
      actual: tooFew ? `not judged: ${batches} batches` : `settled after ${cut} of ${batches} batches`,
      remedy: 'use a longer --duration or --profile thorough',
    }
  },
})
