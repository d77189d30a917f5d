/** Pieces of Vega-Lite specs that all charts use alike. */
import type { ModeView } from './analysis.ts'
import { modeShapes, standIn } from './theme.ts'

export const names = (modes: readonly ModeView[]): string[] => modes.map((mode) => mode.name)

const scaleOf = (modes: readonly ModeView[], range: readonly string[]) => ({ domain: names(modes), range })

const modeRange = (modes: readonly ModeView[]) => modes.map((mode) => standIn.mode(mode.index))

export const modeColour = (modes: readonly ModeView[], legend = true) => ({
  field: 'mode',
  type: 'nominal',
  scale: scaleOf(modes, modeRange(modes)),
  ...(legend ? {} : { legend: null }),
})

export const modeShape = (modes: readonly ModeView[], legend = true) => ({
  field: 'mode',
  type: 'nominal',
  scale: scaleOf(
    modes,
    modes.map((mode) => modeShapes[mode.index % modeShapes.length] ?? 'circle'),
  ),
  ...(legend ? {} : { legend: null }),
})

/** The spoken and hovered value of a mark; every datum brings its own words in `says`. */
export const says = { field: 'says', type: 'nominal' } as const

/** Axis labels for values in µs. */
export const durationLabels =
  "datum.value >= 1000 ? format(datum.value / 1000, '~r') + ' ms' : format(datum.value, '~r') + ' µs'"

export const rateLabels =
  "datum.value >= 1000 ? format(datum.value / 1000, ',~r') + ' k/s' : format(datum.value, '~r') + ' /s'"

/** Ticks of a log axis at 1, 2 and 5 of every decade that the values reach, with half an octave of air at both ends. */
export function logAxis(values: readonly number[]): { domain: [number, number]; ticks: number[] } {
  const low = Math.min(...values) / 1.25
  const high = Math.max(...values) * 1.25
  const ticks: number[] = []
  for (let decade = Math.floor(Math.log10(low)); decade <= Math.log10(high); decade++)
    for (const step of [1, 2, 5]) {
      const tick = step * 10 ** decade
      if (tick >= low && tick <= high) ticks.push(tick)
    }
  return { domain: [low, high], ticks }
}
