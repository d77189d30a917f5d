import { cellsOf } from '../analysis.ts'
import { type ChartInput, cellLabel, defineChart } from '../chart.ts'
import { human, plural, significant } from '../format.ts'
import { durationLabels, logAxis, modeColour, names, says } from '../marks.ts'
import type { Curve } from '../percentile-curves.ts'

/** Ticks of the tail axis: one over the share beyond. */
const ticks = [2, 10, 100, 1000] as const
const tickLabels =
  "datum.value === 2 ? '50 %' : datum.value === 10 ? '90 %' : datum.value === 100 ? '99 %' : datum.value === 1000 ? '99.9 %' : ''"
const tail = (percentile: number): number => 1 / (1 - percentile / 100)
const told = [50, 90, 99, 99.9] as const

const loadOf = (run: ChartInput, curve: Curve): string => cellLabel(curve.cell, cellsOf(run, 'latency'))

/** The reading nearest to a percentile; null where the curve ends before it. */
function at(curve: Curve, percentile: number): number | null {
  const point = curve.points.find((candidate) => candidate.percentile >= percentile - 1e-9)
  return point?.latencyNs ?? null
}

export default defineChart({
  name: 'percentiles',
  title: 'How long do the slow ones take?',
  question: 'Latency by percentile: the further right, the rarer the request.',
  caption:
    'All valid shots of a mode at one load, their histograms merged: a picture of the tail, not the base of any interval. Both scales are logarithmic; a line ends where fewer than 100 samples are left.',
  order: 2,
  spec(run) {
    const curves = run.curves.filter((curve) => curve.points.length > 1)
    if (curves.length === 0) return null
    const values = curves.flatMap((curve) =>
      curve.points.map(({ percentile, latencyNs }) => ({
        mode: curve.mode.name,
        load: loadOf(run, curve),
        tail: tail(percentile),
        latency: latencyNs / 1e3,
        says: `${curve.mode.name}, ${significant(percentile, percentile < 99 ? 2 : 4)} % within ${human(latencyNs, 'ns')} at ${loadOf(run, curve)}`,
      })),
    )
    const axis = logAxis(values.map(({ latency }) => latency))
    const last = Math.max(...values.map((value) => value.tail))
    const loads = cellsOf(run, 'latency').map((cell) => cellLabel(cell, cellsOf(run, 'latency')))
    return {
      data: { values },
      facet: { column: { field: 'load', type: 'ordinal', sort: loads, spacing: 28 } },
      spec: {
        width: 262,
        height: 260,
        encoding: {
          x: {
            field: 'tail',
            type: 'quantitative',
            scale: { type: 'log', domain: [1, last * 1.1], nice: false },
            axis: {
              title: null,
              values: ticks.filter((tick) => tick <= last * 1.1),
              labelExpr: tickLabels,
              labelFlush: false,
            },
          },
          y: {
            field: 'latency',
            type: 'quantitative',
            scale: { type: 'log', domain: axis.domain, nice: false },
            axis: { title: null, values: axis.ticks, labelExpr: durationLabels },
          },
          color: {
            ...modeColour(run.modes),
            legend: { symbolType: 'stroke', symbolSize: 400, symbolStrokeWidth: 2.5 },
          },
        },
        layer: [
          { mark: { type: 'line', strokeWidth: 2.5 }, encoding: { strokeDash: dashes(run) } },
          { mark: { type: 'point', size: 140, filled: true, opacity: 0 }, encoding: { description: says } },
        ],
      },
    }
  },
  table: (run) => ({
    columns: ['load', 'mode', ...told.map((percentile) => `${percentile} %`), 'shots', 'requests'],
    rows: run.curves.map((curve) => [
      loadOf(run, curve),
      curve.mode.name,
      ...told.map((percentile) => {
        const latencyNs = at(curve, percentile)
        return latencyNs === null ? '–' : human(latencyNs, 'ns')
      }),
      String(curve.shots),
      plural(curve.requests, 'request').replace(/ .*/, ''),
    ]),
  }),
})

/** Lines have no shapes: their dashes tell modes apart without colour. */
const dashes = (run: ChartInput) => ({
  field: 'mode',
  type: 'nominal',
  scale: {
    domain: names(run.modes),
    range: run.modes.map(
      ({ index }) =>
        [
          [1, 0],
          [7, 3],
          [2, 2],
          [9, 3, 2, 3],
        ][index % 4],
    ),
  },
})
