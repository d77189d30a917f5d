/** Numbers for people: three significant digits, thousands separated, units that fit the size. */
import type { Estimate } from '../harness/stats/summary.ts'

interface Scale {
  readonly factor: number
  readonly unit: string
}

const scales = {
  ns: [
    { factor: 1e9, unit: 's' },
    { factor: 1e6, unit: 'ms' },
    { factor: 1e3, unit: 'µs' },
    { factor: 1, unit: 'ns' },
  ],
  s: [
    { factor: 1, unit: 's' },
    { factor: 1e-3, unit: 'ms' },
    { factor: 1e-6, unit: 'µs' },
    { factor: 1e-9, unit: 'ns' },
  ],
  'bit/s': [
    { factor: 1e9, unit: 'Gbit/s' },
    { factor: 1e6, unit: 'Mbit/s' },
    { factor: 1e3, unit: 'kbit/s' },
    { factor: 1, unit: 'bit/s' },
  ],
  bytes: [
    { factor: 2 ** 30, unit: 'GiB' },
    { factor: 2 ** 20, unit: 'MiB' },
    { factor: 2 ** 10, unit: 'KiB' },
    { factor: 1, unit: 'B' },
  ],
  '/s': [
    { factor: 1e6, unit: 'M/s' },
    { factor: 1e3, unit: 'k/s' },
    { factor: 1, unit: '/s' },
  ],
  count: [
    { factor: 1e6, unit: 'M' },
    { factor: 1, unit: '' },
  ],
} as const satisfies Record<string, readonly Scale[]>

export type Quantity = keyof typeof scales

/** Three significant digits, with thousands separators: 1,530 · 355 · 65.2 · 0.041. */
export function significant(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return '–'
  const rounded = Number(value.toPrecision(digits))
  // Trailing zeros are kept (2.90, not 2.9) so that the columns of a table stay aligned.
  const decimals = rounded === 0 ? 0 : Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(rounded))))
  return (rounded === 0 ? 0 : rounded).toLocaleString('en-US', {
    minimumFractionDigits: Math.min(decimals, 12),
    maximumFractionDigits: Math.min(decimals, 12),
  })
}

function scaleFor(value: number, quantity: Quantity): Scale {
  const table: readonly Scale[] = scales[quantity]
  const size = Math.abs(value)
  return table.find((scale) => size >= scale.factor * 0.9995) ?? table.at(-1) ?? { factor: 1, unit: '' }
}

const quantityOfCount = (value: number, factor: number): string =>
  factor === 1 && Number.isInteger(value) ? integer(value) : significant(value / factor)

/** `65.2 µs`, `9.90 k/s`, `66.0 MiB`; a number and its unit stay on one line. */
export function human(value: number, quantity: Quantity): string {
  const { factor, unit } = scaleFor(value, quantity)
  const digits =
    quantity === 'count' || quantity === 'bytes' ? quantityOfCount(value, factor) : significant(value / factor)
  return unit ? `${digits}\u00a0${unit}` : digits
}

/** `120 µs (110–131)`: all three in the unit that fits the first. */
export function humanInterval(centre: number, low: number, high: number, quantity: Quantity): string {
  const { factor, unit } = scaleFor(centre, quantity)
  const [a, b, c] = [centre, low, high].map((value) => significant(value / factor))
  return `${a}\u00a0${unit} (${span(b ?? '', c ?? '')})`
}

/** What of an estimate is told. */
type Told = Pick<Estimate, 'centre' | 'low' | 'high' | 'kind' | 'n'>

/** What is told of an estimate: an interval in brackets, or the range that was seen, or nothing beside a single value. */
export function estimateText({ centre, low, high, kind, n }: Told, quantity: Quantity): string {
  if (n === 1) return human(centre, quantity)
  const text = humanInterval(centre, low, high, quantity)
  return kind === 'interval' ? text : text.replace('(', '(seen ')
}

/** `2.94–3.31`; with a negative bound in words, because `-3–5` cannot be read. */
export const span = (low: string, high: string): string =>
  low.startsWith('-') || high.startsWith('-') ? `${minus(low)} to ${minus(high)}` : `${low}–${high}`

const minus = (digits: string): string => digits.replace(/^-/, '−')

/** `3.10 × (2.94–3.31)`, by the rules of `estimateText`. */
export function ratioText({ centre, low, high, kind, n }: Told): string {
  const factor = `${significant(centre)}\u00a0×`
  return n === 1 ? factor : `${factor} (${kind === 'interval' ? '' : 'seen '}${significant(low)}–${significant(high)})`
}

export const integer = (value: number): string => Math.round(value).toLocaleString('en-US')

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${integer(count)} ${count === 1 ? one : many}`

/** Quantity of a unit as it stands in the record. */
export function quantityOf(unit: string): Quantity {
  if (unit === 'ns' || unit === 's' || unit === 'bit/s' || unit === 'bytes') return unit
  return unit.endsWith('/s') ? '/s' : 'count'
}
