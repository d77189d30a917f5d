/** Log-normal latencies with a heavier tail, as a histogram in ns. */
import { build, type Histogram } from 'hdr-histogram-js'
import { seeded } from './random.ts'

const samples = 20_000
/** Each drawn value stands for this many requests: a window of a few seconds, at a fraction of the time to make it. */
const weight = 6

export function latencyHistogram(medianNs: number, seed: number): Histogram {
  const random = seeded(seed)
  const histogram = build({ numberOfSignificantValueDigits: 3, autoResize: true })
  for (let index = 0; index < samples; index++) {
    const slow = random.uniform() < 0.03 ? 1 + 3 * random.uniform() : 1
    histogram.recordValueWithCount(Math.round(medianNs * slow * Math.exp(0.22 * random.normal())), weight)
  }
  return histogram
}
