/** Stacked bars by component: one bar per mode, a row of panels when there are several loads. */
import { type ChartInput, defineChart, type ReportChart } from './chart.ts'
import type { Part } from './components.ts'
import { human, type Quantity } from './format.ts'
import { names, says } from './marks.ts'
import { standIn } from './theme.ts'

interface Recipe extends Pick<ReportChart, 'name' | 'title' | 'question' | 'caption' | 'order'> {
  parts(run: ChartInput): readonly Part[]
  label(run: ChartInput, part: Part): string
  readonly quantity: Quantity
  /** Unit of the axis, and how many of the record's units it holds. */
  readonly axis: { readonly unit: string; readonly factor: number }
}

/** Share of the longest bar below which a part cannot be seen. */
const thinnest = 0.004

/** The kernel at the foot, then the server, then the proxies by name, so that their colours are the same in every run. */
function componentsOf(parts: readonly Part[]): string[] {
  const all = [...new Set(parts.map(({ component }) => component))]
  const rank = (name: string) => (name === 'kernel' ? 0 : name === 'server' ? 1 : 2)
  return all.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b, 'en'))
}

/** Kernel and server keep their tones in every chart; proxies take the strong ones behind. */
function tones(components: readonly string[]): string[] {
  let next = 2
  return components.map((name) => standIn.part(name === 'kernel' ? 0 : name === 'server' ? 1 : next++))
}

function totalsOf(parts: readonly Part[], panelOf: (part: Part) => string) {
  const totals = new Map<string, { mode: string; panel: string; value: number }>()
  for (const part of parts) {
    const key = JSON.stringify([part.mode.name, panelOf(part)])
    const value = (totals.get(key)?.value ?? 0) + part.value
    totals.set(key, { mode: part.mode.name, panel: panelOf(part), value })
  }
  return [...totals.values()]
}

export const stacked = ({ parts: collect, label, quantity, axis, ...recipe }: Recipe): ReportChart =>
  defineChart({
    ...recipe,
    spec(run) {
      const parts = collect(run)
      if (parts.length === 0) return null
      const panelOf = (part: Part) => label(run, part)
      const totals = totalsOf(parts, panelOf)
      // A part too thin to see anywhere needs no colour; the table still has it.
      const thin = thinnest * Math.max(...totals.map((total) => total.value))
      const components = componentsOf(parts.filter((part) => part.value > thin))
      const values = [
        ...parts
          .filter((part) => components.includes(part.component))
          .map((part) => ({
            mode: part.mode.name,
            panel: panelOf(part),
            component: part.component,
            place: components.indexOf(part.component),
            value: part.value / axis.factor,
            says: `${part.mode.name}, ${part.component}: ${human(part.value, quantity)}`,
          })),
        ...totals.map((total) => ({ ...total, total: total.value / axis.factor, shown: human(total.value, quantity) })),
      ]
      const panels = [...new Set(parts.map(panelOf))]
      const longest = Math.max(...totals.map((total) => total.value)) / axis.factor
      return stackedSpec(run, values, panels, components, longest * 1.2, axis.unit)
    },
    table(run) {
      const parts = collect(run)
      return {
        columns: ['load', 'mode', 'component', 'value'],
        rows: parts.map((part) => [label(run, part), part.mode.name, part.component, human(part.value, quantity)]),
      }
    },
  })

function stackedSpec(
  run: ChartInput,
  values: readonly object[],
  panels: readonly string[],
  components: readonly string[],
  longest: number,
  unit: string,
): object {
  const scale = { domain: [0, longest], nice: false }
  return {
    data: { values },
    facet: {
      row: {
        field: 'panel',
        type: 'nominal',
        sort: panels,
        spacing: 20,
        header: { orient: 'top', labelAnchor: 'start' },
      },
    },
    spec: {
      width: 640,
      height: { step: 34 },
      encoding: {
        y: {
          field: 'mode',
          type: 'nominal',
          sort: names(run.modes),
          axis: { title: null, labelFontSize: 13, labelColor: standIn.ink, grid: false },
        },
      },
      layer: [
        {
          transform: [{ filter: 'isValid(datum.component)' }],
          mark: { type: 'bar', height: 20, stroke: standIn.paper, strokeWidth: 1.5 },
          encoding: {
            x: {
              field: 'value',
              type: 'quantitative',
              stack: 'zero',
              scale,
              axis: { title: unit, grid: true, tickCount: 6 },
            },
            color: {
              field: 'component',
              type: 'nominal',
              scale: { domain: components, range: tones(components) },
              legend: { symbolType: 'square', columns: 4 },
            },
            order: { field: 'place', type: 'quantitative' },
            description: says,
          },
        },
        {
          transform: [{ filter: 'isValid(datum.total)' }],
          mark: { type: 'text', align: 'left', dx: 8, fontSize: 13, fontWeight: 600, color: standIn.ink },
          encoding: { x: { field: 'total', type: 'quantitative', scale }, text: { field: 'shown', type: 'nominal' } },
        },
      ],
    },
  }
}
