/** Charts of one closed-loop figure: a row per mode, its mean and interval, panels for cells or directions. */
import { fewestForInterval } from '../harness/stats/summary.ts'
import type { MetricName } from '../results/columns.ts'
import { metrics } from '../results/columns.ts'
import { cellsOf } from './analysis.ts'
import { type ChartInput, cellLabel, defineChart, type Point, points, type ReportChart } from './chart.ts'
import { estimateText, human, plural, quantityOf } from './format.ts'
import { modeColour, modeShape, names, says } from './marks.ts'
import { standIn } from './theme.ts'

interface View {
  readonly test: string
  readonly metric: MetricName
  /** What the figure is called in the panel's head. */
  readonly label: string
}

interface Recipe extends Pick<ReportChart, 'name' | 'title' | 'question' | 'caption' | 'order'> {
  readonly views: readonly View[]
}

interface Figure extends Point {
  readonly panel: string
}

const axisUnits = {
  'bit/s': { factor: 1e9, unit: 'Gbit/s' },
  '/s': { factor: 1e3, unit: 'thousand per second (k/s)' },
} as const

/** Panels are named by what tells them apart, so that one panel carries just its setting. */
function figuresOf(run: ChartInput, views: readonly View[]): Figure[] {
  return views.flatMap(({ test, metric, label }) => {
    const cells = cellsOf(run, test)
    return points(run, cells, metric).map((point) => ({
      ...point,
      panel: `${views.length > 1 ? `${label}, ` : ''}${cellLabel(point.cell, cells)}`,
    }))
  })
}

const quantity = ({ metric }: Figure) => quantityOf(metrics[metric].unit)

export const perMode = ({ views, ...recipe }: Recipe): ReportChart =>
  defineChart({
    ...recipe,
    spec(run) {
      const figures = figuresOf(run, views)
      const [first] = figures
      if (!first) return null
      const { factor, unit } = axisUnits[quantity(first) === 'bit/s' ? 'bit/s' : '/s']
      const values = figures.map((figure) => ({
        mode: figure.mode.name,
        panel: figure.panel,
        centre: figure.estimate.centre / factor,
        low: figure.estimate.low / factor,
        high: figure.estimate.high / factor,
        shown: `${human(figure.estimate.centre, quantity(figure))}${figure.estimate.n < fewestForInterval ? ` (${plural(figure.estimate.n, 'block')})` : ''}`,
        says: `${figure.mode.name}, ${figure.panel}: ${estimateText(figure.estimate, quantity(figure))}, ${plural(figure.estimate.n, 'block')}`,
      }))
      const panels = [...new Set(values.map(({ panel }) => panel))]
      // A mode without a figure keeps its row: an empty place must not be taken for a mode that was not asked.
      const empty = panels.flatMap((panel) =>
        run.modes
          .filter(({ name }) => !values.some((value) => value.panel === panel && value.mode === name))
          .map(({ name }) => ({ mode: name, panel, empty: 'no valid shot', says: `${name}, ${panel}: no valid shot` })),
      )
      const longest = Math.max(...values.map(({ high }) => high))
      return panelSpec(run, [...values, ...empty], panels, unit, longest)
    },
    table: (run) => ({
      columns: ['mode', 'setting', 'value', 'low', 'high', 'blocks'],
      rows: figuresOf(run, views).map((figure) => [
        figure.mode.name,
        figure.panel,
        ...[figure.estimate.centre, figure.estimate.low, figure.estimate.high].map((value) =>
          human(value, quantity(figure)),
        ),
        String(figure.estimate.n),
      ]),
    }),
  })

const onlyFigures = [{ filter: 'isValid(datum.centre)' }]

function panelSpec(
  run: ChartInput,
  values: readonly object[],
  panels: readonly string[],
  unit: string,
  longest: number,
): object {
  const x = { type: 'quantitative', scale: { zero: true, nice: true, padding: 0 } } as const
  // The words stand right of the interval; half an axis of air keeps the longest inside its panel.
  const scale = { ...x.scale, domain: [0, longest * 1.3] }
  return {
    data: { values },
    facet: { column: { field: 'panel', type: 'nominal', sort: panels, spacing: 28 } },
    spec: {
      width: panels.length > 1 ? 380 : 640,
      height: { step: 40 },
      encoding: {
        y: {
          field: 'mode',
          type: 'nominal',
          sort: names(run.modes),
          axis: { title: null, labelFontSize: 13, labelColor: standIn.ink, grid: false },
        },
        color: modeColour(run.modes, false),
        description: says,
      },
      layer: [
        {
          transform: [{ filter: 'isValid(datum.empty)' }],
          mark: { type: 'text', align: 'left', x: 6, fontSize: 12, fontStyle: 'italic' },
          encoding: { text: { field: 'empty', type: 'nominal' }, color: { value: standIn.muted } },
        },
        {
          transform: onlyFigures,
          mark: { type: 'bar', height: 3, opacity: 0.35 },
          encoding: { x: { field: 'centre', ...x, scale, axis: { title: unit, grid: true, tickCount: 5 } } },
        },
        {
          transform: onlyFigures,
          mark: { type: 'rule', strokeWidth: 2.5 },
          encoding: { x: { field: 'low', ...x, scale }, x2: { field: 'high' } },
        },
        {
          transform: onlyFigures,
          mark: { type: 'point', filled: true, size: 100, opacity: 1 },
          encoding: { x: { field: 'centre', ...x, scale }, shape: modeShape(run.modes, false) },
        },
        {
          transform: onlyFigures,
          mark: { type: 'text', align: 'left', dx: 11, fontSize: 13, fontWeight: 600 },
          encoding: {
            x: { field: 'high', ...x, scale },
            text: { field: 'shown', type: 'nominal' },
            color: { value: standIn.ink },
          },
        },
      ],
    },
  }
}
