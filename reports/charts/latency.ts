import { cellsOf } from '../analysis.ts'
import { type ChartInput, cellLabel, defineChart, type Point, points } from '../chart.ts'
import { human, humanInterval } from '../format.ts'
import { durationLabels, logAxis, modeColour, modeShape, names, says } from '../marks.ts'

const percentiles = [
  { metric: 'latency_p50', label: 'p50' },
  { metric: 'latency_p90', label: 'p90' },
  { metric: 'latency_p99', label: 'p99' },
] as const

const labelOf = (point: Point) => percentiles.find(({ metric }) => metric === point.metric)?.label ?? ''

const pointsOf = (run: ChartInput): Point[] =>
  percentiles.flatMap(({ metric }) => points(run, cellsOf(run, 'latency'), metric))

const words = ({ estimate }: Point): string =>
  `${humanInterval(estimate.centre, estimate.low, estimate.high, 'ns')}${estimate.kind === 'range' ? ' range' : ''}`

export default defineChart({
  name: 'latency',
  title: 'How long does a request take?',
  question: 'Latency at the same rate for every mode, from the planned moment of sending to the answer.',
  caption:
    'Each mark is the mean over blocks, each line its 95 % interval (the range, below five blocks). Lower is better; the scale is logarithmic, so equal distances are equal ratios. A percentile with fewer than 100 samples beyond it is left out.',
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
      says: `${point.mode.name}, ${labelOf(point)} at ${cellLabel(point.cell, cells)}: ${words(point)}, ${point.estimate.n} blocks`,
    }))
    const axis = logAxis(values.flatMap(({ low, high }) => [low, high]))
    const y = { type: 'quantitative', scale: { type: 'log', domain: axis.domain, nice: false } }
    return {
      data: { values },
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
          xOffset: { field: 'mode', type: 'nominal', sort: names(run.modes), scale: { paddingOuter: 0.5 } },
          color: modeColour(run.modes),
          description: says,
        },
        layer: [
          {
            mark: { type: 'rule', strokeWidth: 2 },
            encoding: {
              y: { field: 'low', ...y, axis: { title: null, values: axis.ticks, labelExpr: durationLabels } },
              y2: { field: 'high' },
            },
          },
          {
            mark: { type: 'point', filled: true, size: 80, opacity: 1 },
            encoding: { y: { field: 'centre', ...y }, shape: modeShape(run.modes) },
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
