/** One line per mode at the end of a run: the median over blocks of the figures that say most. */
import type { RunRecord } from '../results/run-record.ts'
import { quantile } from './stats/quantile.ts'

const shown = [
  ['latency_p50', 'p50', (ns: number) => `${Math.round(ns / 1000)} µs`],
  ['throughput', 'capacity', (rate: number) => `${Math.round(rate)}/s`],
  ['cpu_per_request', 'CPU', (seconds: number) => `${Math.round(seconds * 1e6)} µs/request`],
] as const
const testOf = { latency_p50: 'latency', throughput: 'capacity', cpu_per_request: 'latency' } as const

/** Lines like `sidecar     p50 812 µs, capacity 9900/s, CPU 140 µs/request (14 of 15 shots valid)`. */
export function modeLines(record: RunRecord): string[] {
  return Object.keys(record.manifest.modes).map((mode) => {
    const rows = record.shots.filter((row) => row.mode === mode && (row.block ?? 0) > 0)
    const ends = rows.filter((row) => row.metric === 'record_rows')
    const valid = ends.filter((row) => row.verdict === 'valid').length
    const figures = shown.flatMap(([metric, label, format]) => {
      const values = rows
        .filter((row) => row.metric === metric && row.test === testOf[metric] && row.verdict === 'valid')
        .flatMap((row) => (row.value === null ? [] : [row.value]))
      return values.length > 0 ? [`${label} ${format(quantile(values, 0.5))}`] : []
    })
    return `${mode.padEnd(12)}${figures.join(', ') || 'nothing valid'} (${valid} of ${ends.length} shots valid)`
  })
}
