/** Plain descriptions of a list of numbers, and the interval of their centre. */
import { median, quantile } from './quantile.ts'
import { tQuantile } from './t-quantile.ts'

/** Fewer values than this get a range, never an interval (methodology rule 13). */
export const fewestForInterval = 5
export const defaultConfidence = 0.95

export function mean(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no mean of nothing')
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Sample standard deviation (n - 1); 0 for one value. */
export function standardDeviation(values: readonly number[]): number {
  if (values.length < 2) return 0
  const centre = mean(values)
  return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1))
}

/** Median absolute deviation, not rescaled. */
export function medianAbsoluteDeviation(values: readonly number[]): number {
  const centre = median(values)
  return median(values.map((value) => Math.abs(value - centre)))
}

/** A centre with what is known about it: a t interval, or only the range of what was seen. */
export interface Estimate {
  readonly n: number
  readonly centre: number
  readonly low: number
  readonly high: number
  readonly kind: 'interval' | 'range'
  readonly confidence: number
}

/** Mean with its t interval; below five values the range instead. */
export function estimateMean(values: readonly number[], confidence = defaultConfidence): Estimate {
  const n = values.length
  const centre = mean(values)
  if (n < fewestForInterval)
    return { n, centre, low: quantile(values, 0), high: quantile(values, 1), kind: 'range', confidence }
  const half = (tQuantile((1 + confidence) / 2, n - 1) * standardDeviation(values)) / Math.sqrt(n)
  return { n, centre, low: centre - half, high: centre + half, kind: 'interval', confidence }
}

/** Geometric mean with a t interval on the log scale: for times, rates and sizes, all of them above zero. */
export function estimateGeometric(values: readonly number[], confidence = defaultConfidence): Estimate {
  if (values.some((value) => !(value > 0))) throw new RangeError('a geometric mean needs values above zero')
  const logs = estimateMean(values.map(Math.log), confidence)
  return { ...logs, centre: Math.exp(logs.centre), low: Math.exp(logs.low), high: Math.exp(logs.high) }
}
