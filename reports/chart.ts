/** The shape of a chart of the page, and what charts share. */
import type { Chart } from '../harness/contracts.ts'
import { type Estimate, estimateGeometric } from '../harness/stats/summary.ts'
import type { MetricName } from '../results/columns.ts'
import { type Analysis, byBlock, type CellView, type ModeView } from './analysis.ts'
import type { Curve } from './percentile-curves.ts'

/** What charts are given: the record analysed, and the merged histograms as curves. */
export interface ChartInput extends Analysis {
  readonly curves: readonly Curve[]
}

/** The same figures as text, for those who cannot or do not want to read a picture. */
export interface TextTable {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

export interface ReportChart extends Chart<ChartInput> {
  /** What to look for, and what the marks mean. */
  readonly caption: string
  /** Height and order on the page: headline charts first. */
  readonly order: number
  table(run: ChartInput): TextTable
}

export const defineChart = (chart: ReportChart): ReportChart => chart

/** One mode in one cell: the centre over blocks with its interval, and the blocks behind it. */
export interface Point {
  readonly mode: ModeView
  readonly cell: CellView
  readonly metric: MetricName
  readonly estimate: Estimate
}

/** A point for each mode and cell that has valid values of the metric. */
export function points(run: Analysis, cells: readonly CellView[], metric: MetricName): Point[] {
  return cells.flatMap((cell) =>
    run.modes.flatMap((mode) => {
      const values = [...byBlock(run, mode.name, cell, metric).values()].filter((value) => value > 0)
      return values.length === 0 ? [] : [{ mode, cell, metric, estimate: estimateGeometric(values) }]
    }),
  )
}

/** `4,950 requests/s`, with what else distinguishes the cell from its neighbours. */
export function cellLabel(cell: CellView, among: readonly CellView[]): string {
  const differ = (pick: (cell: CellView) => unknown) => new Set(among.map(pick)).size > 1
  const rate = cell.rate === null ? '' : `${cell.rate.toLocaleString('en-US')} requests/s`
  const parts = [
    rate,
    differ((other) => other.protocol) || rate === '' ? cell.protocol.toUpperCase() : '',
    differ((other) => other.connections) || rate === ''
      ? `${cell.connections} connection${cell.connections === 1 ? '' : 's'}`
      : '',
    differ((other) => other.payloadBytes) ? `${cell.payloadBytes} B` : '',
    differ((other) => other.driver) ? cell.driver : '',
  ]
  return parts.filter(Boolean).join(', ')
}
