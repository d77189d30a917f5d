import { cellsOf } from '../analysis.ts'
import { type ChartInput, cellLabel, defineChart, type Point, points } from '../chart.ts'
import { estimateText, human, plural } from '../format.ts'
import { durationLabels, logAxis, modeColour, modeShape, names, says } from '../marks.ts'
import { standIn } from '../theme.ts'

const percentiles = [
  { metric: 'latency_p50', label: 'p50' },
  { metric: 'latency_p90', label: 'p90' },
  { metric: 'latency_p99', label: 'p99' },
] as const

const labelOf = (point: Point) => percentiles.find(({ metric }) => metric === point.metric)?.label ?? ''

const pointsOf = (run: ChartInput): Point[] =>
  percentiles.flatMap(({ metric }) => points(run, cellsOf(run, 'latency'), metric))

/** Loads and percentiles of which no mode has a figure: said in their place, so that a gap is not taken for zero. */
function emptySlots(run: ChartInput, all: readonly Point[]) {
  const cells = cellsOf(run, 'latency')
  return cells.flatMap((cell) =>
    percentiles.flatMap(({ metric, label }) =>
      all.some((point) => point.cell === cell && point.metric === metric)
        ? []
        : [
            {
              load: cellLabel(cell, cells),
              percentile: label,
              empty: `no ${label}`,
              says: `no ${label} at ${cellLabel(cell, cells)}: no valid shot gives one`,
            },
          ],
    ),
  )
}

export default defineChart({
  name: 'latency',
  title: 'How long does a request take?',
  question: 'Latency at the same rate for every mode, from the planned moment of sending to the answer.',
  caption:
    'Each mark is the mean over the blocks with a valid shot, each line its 95 % interval (the range, below five blocks). Lower is better; the scale is logarithmic, so equal distances are equal ratios. A percentile is left out of a shot that has fewer than 100 samples beyond it, or whose driver was itself late there; the table says how many blocks are behind each mark.',
  order: 1,
  spec(run) {
    const all = pointsOf(run)
    if (all.length === 0) return null
    const cells = cellsOf(run, 'latency')
    const micro = (ns: number) => ns / 1e3
    const values = all.map((point) => ({
      mode: point.mode.name,
      load: cellLabel(point.cell, cells),
      percentile: labelOf(point),
      centre: micro(point.estimate.centre),
      low: micro(point.estimate.low),
      high: micro(point.estimate.high),
      says: `${point.mode.name}, ${labelOf(point)} at ${cellLabel(point.cell, cells)}: ${estimateText(point.estimate, 'ns')}, ${plural(point.estimate.n, 'block')}`,
    }))
    const axis = logAxis(values.flatMap(({ low, high }) => [low, high]))
    const y = { type: 'quantitative', scale: { type: 'log', domain: axis.domain, nice: false } }
    const byMode = {
      xOffset: {
        field: 'mode',
        type: 'nominal',
        sort: names(run.modes),
        scale: { domain: names(run.modes), paddingOuter: 0.5 },
      },
      color: modeColour(run.modes),
      description: says,
    }
    return {
      data: { values: [...values, ...emptySlots(run, all)] },
      facet: {
        column: { field: 'load', type: 'ordinal', sort: cells.map((cell) => cellLabel(cell, cells)), spacing: 28 },
      },
      spec: {
        width: 262,
        height: 280,
        encoding: {
          x: {
            field: 'percentile',
            type: 'ordinal',
            sort: percentiles.map(({ label }) => label),
            axis: { labelAngle: 0, labelFontSize: 13, title: null },
          },
        },
        layer: [
          {
            transform: [{ filter: 'isValid(datum.mode)' }],
            mark: { type: 'rule', strokeWidth: 2 },
            encoding: {
              ...byMode,
              y: { field: 'low', ...y, axis: { title: null, values: axis.ticks, labelExpr: durationLabels } },
              y2: { field: 'high' },
            },
          },
          {
            transform: [{ filter: 'isValid(datum.mode)' }],
            mark: { type: 'point', filled: true, size: 80, opacity: 1 },
            encoding: { ...byMode, y: { field: 'centre', ...y }, shape: modeShape(run.modes) },
          },
          {
            transform: [{ filter: 'isValid(datum.empty)' }],
            mark: { type: 'text', fontSize: 12, fontStyle: 'italic', color: standIn.muted, y: 'height', dy: -12 },
            encoding: { text: { field: 'empty', type: 'nominal' }, description: says },
          },
        ],
      },
    }
  },
  table: (run) => ({
    columns: ['load', 'mode', 'percentile', 'latency', 'low', 'high', 'blocks'],
    rows: pointsOf(run).map((point) => [
      cellLabel(point.cell, cellsOf(run, 'latency')),
      point.mode.name,
      labelOf(point),
      human(point.estimate.centre, 'ns'),
      human(point.estimate.low, 'ns'),
      human(point.estimate.high, 'ns'),
      String(point.estimate.n),
    ]),
  }),
})
