/** What is written by hand must agree with the code: commands, exit codes, rules. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checks } from '../harness/checks/index.ts'
import { limits } from '../harness/checks/limits.ts'
import { exitCodes } from '../harness/errors.ts'
import { commands } from './arguments.mjs'
import { NODE_MAJORS, root } from './versions.mjs'

const page = (...path: string[]): string => readFileSync(join(root, ...path), 'utf8')
const [readme, methodology] = [page('README.md'), page('docs', 'methodology.md')]

/** First cells of a table's rows that match. */
const firstCells = (text: string, form: RegExp): string[] =>
  [...text.matchAll(new RegExp(`^\\| ${form.source} +\\|`, 'gm'))].map((match) => match[1] ?? '')

describe('pages written by hand', () => {
  it('README names every command and exit code, and no other', () => {
    const named = [...readme.matchAll(/`npm (?:run )?([a-z]+)(?: --[^`]*)?`/g)].map((match) => match[1])
    expect([...new Set(named)].sort()).toEqual([...commands].sort())
    const codes = Object.values(exitCodes).map(({ code }) => String(code))
    expect(firstCells(readme, /(\d+)/)).toEqual(codes)
  })

  it('README and package.json name the versions of Node that set-up takes', () => {
    const { oldest, newest } = NODE_MAJORS
    expect(readme).toContain(`Node ${oldest} to ${newest}`)
    expect(JSON.parse(page('package.json')).engines.node).toBe(`>=${oldest} <${newest + 1}`)
  })

  it('methodology has a row for every check, with its limits', () => {
    const codes = [...checks.map(({ code }) => code), 'driver-died']
    expect(firstCells(methodology, /`([a-z-]+)`/).sort()).toEqual(codes.sort())
    const shares = [
      'errorShare',
      'foreignShare',
      'stealShare',
      'driverCoreShare',
      'sentShare',
      'spinVoidRatio',
    ] as const
    for (const share of [...shares, 'spinNoteRatio'] as const)
      expect(methodology).toContain(`${Number((limits[share] * 100).toPrecision(3))} %`)
  })

  it('every link between pages leads to a file', () => {
    for (const [folder, text] of [
      ['.', readme],
      ['.', page('CONTRIBUTING.md')],
      ['docs', methodology],
    ] as const)
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)\)/g))
        expect(() => page(folder, target), target).not.toThrow()
  })
})
