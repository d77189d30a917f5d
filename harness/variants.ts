/** Variants of modes: `NAME@key=value`, from the settings that a mode declares, as modes of their own. Pure. */
import type { Chosen, Mode, SettingName, Settings } from './contracts.ts'
import { BenchError } from './errors.ts'
import { didYouMean } from './nearest.ts'

/** `ambient@proxy=tunnel` → `ambient`. */
export const variantStem = (text: string): string => text.split('@', 1)[0] ?? ''

const entriesOf = (settings: Settings) => Object.entries(settings) as [SettingName, readonly [string, ...string[]]][]

function settingOf(mode: Mode, key: string, value: string | undefined): readonly [SettingName, string] {
  const entries = entriesOf(mode.settings ?? {})
  const known = entries.find(([name]) => name === key)
  if (!known) {
    const keys = entries.map(([name]) => name)
    const remedy = keys.length > 0 ? didYouMean(key, keys) : `write --mode ${mode.name}`
    throw new BenchError('usage', `mode ${mode.name} has no setting ${key}`, remedy)
  }
  const [name, choices] = known
  if (value === undefined || !choices.includes(value))
    throw new BenchError(
      'usage',
      `${mode.name} has no ${name} ${value ?? ''}`.trimEnd(),
      `it has ${choices.join(', ')}`,
    )
  return [name, value]
}

/** Settings written behind a mode's name. */
function written(mode: Mode, text: string): Chosen {
  const parts = text.split('@').slice(1)
  return Object.fromEntries(
    parts.map((part) => {
      const [key = '', value] = part.split('=', 2)
      return settingOf(mode, key, value)
    }),
  )
}

/** Settings asked of all modes, as far as this one has such a setting at all. */
function asked(mode: Mode, wanted: Chosen): Chosen {
  const own = entriesOf(mode.settings ?? {}).map(([name]) => name)
  return Object.fromEntries(
    own.flatMap((name) => (wanted[name] === undefined ? [] : [settingOf(mode, name, wanted[name])])),
  )
}

/** Name of a variant: what differs from the plain mode, in the order in which the mode declares it. */
const nameOf = (mode: Mode, chosen: Chosen): string =>
  [
    mode.name,
    ...entriesOf(mode.settings ?? {}).flatMap(([name, [usual]]) =>
      chosen[name] === usual ? [] : [`${name}=${chosen[name]}`],
    ),
  ].join('@')

function variantOf(mode: Mode, given: Chosen): Mode {
  const usual = entriesOf(mode.settings ?? {}).map(([name, choices]) => [name, choices[0]] as const)
  const chosen: Chosen = { ...Object.fromEntries(usual), ...given }
  return {
    ...mode,
    name: nameOf(mode, chosen),
    available: (provider) => mode.available(provider, chosen),
    lay: async (bed, scope, log) => {
      const path = await mode.lay(bed, scope, log, chosen)
      return Object.create(path, { mode: { value: nameOf(mode, chosen) } })
    },
  }
}

/**
 * Whom a variant is compared with: the mode that its plain form names, in the same variant if the run has it; where the
 * run has it in no form, the one that this mode is compared with, and so on.
 */
function yardstick(name: string, plain: Mode, names: ReadonlySet<string>, all: readonly Mode[]): string {
  const settings = name.slice(plain.name.length)
  let other: string | undefined = plain.comparedWith
  const seen = new Set<string>()
  while (other !== undefined && !seen.has(other)) {
    seen.add(other)
    const known: string = other
    const match = [`${known}${settings}`, known].find((candidate) => candidate !== name && names.has(candidate))
    if (match) return match
    other = all.find((mode) => mode.name === known)?.comparedWith
  }
  return plain.comparedWith
}

/**
 * The modes of a run, from what was written after --mode and the settings asked of all.
 * Throws BenchError `usage` where a mode lacks a setting or a value.
 */
export function chooseModes(all: readonly Mode[], wanted: readonly string[], settings: Chosen): Mode[] {
  const chosen = wanted.map((text) => {
    const plain = all.find((mode) => mode.name === variantStem(text))
    if (!plain) throw new BenchError('usage', `unknown mode ${text}`, 'npm run modes')
    return { plain, variant: variantOf(plain, { ...asked(plain, settings), ...written(plain, text) }) }
  })
  for (const [name, value] of Object.entries(settings))
    if (value !== undefined && !chosen.some(({ plain }) => plain.settings && name in plain.settings))
      throw new BenchError(
        'usage',
        `none of these modes has a ${name}`,
        `leave out --${name}, or add a mode that has it`,
      )
  const byName = new Map(chosen.map((entry) => [entry.variant.name, entry]))
  const names = new Set(byName.keys())
  return [...byName.values()].map(({ plain, variant }) => ({
    ...variant,
    comparedWith:
      plain.comparedWith === plain.name && variant.name === plain.name
        ? plain.name
        : yardstick(variant.name, plain, names, all),
  }))
}
