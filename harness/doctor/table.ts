/** The table that doctor prints: a mark, a word, why, and what to do (pure). */
import type { Availability } from '../contracts.ts'
import type { Need } from './kernel.ts'
import type { Finding } from './probe.ts'

export interface Section {
  readonly title: string
  /** Without these the default run works all the same, so their absence is no alarm. */
  readonly optional: boolean
  readonly findings: readonly Finding[]
}

export const asFinding = (name: string, about: string, answer: Availability): Finding =>
  answer.ok
    ? { name, ok: true, detail: about, remedy: '' }
    : { name, ok: false, detail: answer.because, remedy: answer.remedy }

/** A mode runs only where every feature that it uses is there; what cannot be told stays unknown. */
export function withNeeds(mode: Finding, needs: readonly Need[]): Finding {
  if (mode.ok !== true) return mode
  const open = needs.filter(({ ok, usedBy }) => ok !== true && usedBy.includes(mode.name))
  const lacking = open.filter(({ ok }) => ok === false)
  const names = (lacking.length > 0 ? lacking : open).map(({ name }) => name).join(', ')
  if (lacking.length > 0) return { ...mode, ok: false, detail: `needs ${names}`, remedy: 'see below' }
  return open.length > 0 ? { ...mode, ok: null, detail: `needs ${names}`, remedy: 'see below' } : mode
}

const paint = (code: number, text: string, colour: boolean): string => (colour ? `\x1b[${code}m${text}\x1b[0m` : text)

function mark(ok: boolean | null, optional: boolean, colour: boolean): string {
  if (ok === null) return '? unknown'
  if (!ok && optional) return '– no     '
  return ok ? paint(32, '✓ yes    ', colour) : paint(31, '✗ no     ', colour)
}

export function table(sections: readonly Section[], verdict: string, colour: boolean): string {
  const width = Math.max(...sections.flatMap(({ findings }) => findings.map(({ name }) => name.length)))
  const lines = sections.flatMap(({ title, optional, findings }) => [
    paint(1, title, colour),
    ...findings.map(({ name, ok, detail, remedy }) => {
      const text = ok === true || !remedy ? detail : `${detail}; ${remedy}`
      return `  ${mark(ok, optional, colour)} ${name.padEnd(width)}  ${text}`
    }),
    '',
  ])
  return [...lines, verdict, ''].join('\n')
}
