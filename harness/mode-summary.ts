/** One line per mode at the end of a run: the figures that say most, in the order and at the load of the report. */
import { analyse, byBlock, type CellView } from '../reports/analysis.ts'
import { human, type Quantity } from '../reports/format.ts'
import type { MetricName } from '../results/columns.ts'
import type { RunRecord } from '../results/run-record.ts'
import { quantile } from './stats/quantile.ts'

interface Shown {
  readonly cell: CellView | null | undefined
  readonly metric: MetricName
  readonly quantity: Quantity
  say(value: string): string
}

/** Lines like `sidecar     p50 812 µs at 4,345 requests/s, CPU 140 µs/request, capacity 9.90 k/s (14 of 15 shots valid)`. */
export function modeLines(record: RunRecord): string[] {
  const run = analyse(record)
  const rate = run.headline?.rate ?? null
  const at = rate === null ? '' : ` at ${rate.toLocaleString('en-US')} requests/s`
  const shown: readonly Shown[] = [
    { cell: run.headline, metric: 'latency_p50', quantity: 'ns', say: (value) => `p50 ${value}${at}` },
    { cell: run.headline, metric: 'cpu_per_request', quantity: 's', say: (value) => `CPU ${value}/request` },
    {
      cell: run.cells.find(({ test }) => test === 'capacity'),
      metric: 'throughput',
      quantity: '/s',
      say: (value) => `capacity ${value}`,
    },
  ]
  const width = Math.max(12, ...run.modes.map(({ name }) => name.length + 2))
  return run.modes.map(({ name }) => {
    const shots = run.shots.filter((shot) => shot.mode === name && shot.block > 0)
    const figures = shown.flatMap(({ cell, metric, quantity, say }) => {
      const values = cell ? [...byBlock(run, name, cell, metric).values()] : []
      return values.length > 0 ? [say(human(quantile(values, 0.5), quantity).replace('\u00a0', ' '))] : []
    })
    const valid = shots.filter((shot) => shot.valid).length
    return `${name.padEnd(width)}${figures.join(', ') || 'nothing valid'} (${valid} of ${shots.length} shots valid)`
  })
}
