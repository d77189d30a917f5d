/** The table that doctor prints: a mark, a word, why, and what to do (pure). */
import type { Availability } from '../contracts.ts'
import type { Finding } from './probe.ts'

export interface Section {
  readonly title: string
  readonly findings: readonly Finding[]
}

export const asFinding = (name: string, about: string, answer: Availability): Finding =>
  answer.ok
    ? { name, ok: true, detail: about, remedy: '' }
    : { name, ok: false, detail: answer.because, remedy: answer.remedy }

const paint = (code: number, text: string, colour: boolean): string => (colour ? `\x1b[${code}m${text}\x1b[0m` : text)

function mark(ok: boolean | null, colour: boolean): string {
  if (ok === null) return '? unknown'
  return ok ? paint(32, '✓ yes    ', colour) : paint(31, '✗ no     ', colour)
}

export function table(sections: readonly Section[], verdict: string, colour: boolean): string {
  const width = Math.max(...sections.flatMap(({ findings }) => findings.map(({ name }) => name.length)))
  const lines = sections.flatMap(({ title, findings }) => [
    paint(1, title, colour),
    ...findings.map(({ name, ok, detail, remedy }) => {
      const text = ok === true || !remedy ? detail : `${detail}; ${remedy}`
      return `  ${mark(ok, colour)} ${name.padEnd(width)}  ${text}`
    }),
    '',
  ])
  return [...lines, verdict, ''].join('\n')
}
