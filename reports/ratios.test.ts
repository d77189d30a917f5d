import { describe, expect, it } from 'vitest'
import { withTable } from '../harness/commands/ratios.ts'
import { analyse } from './analysis.ts'
import { ratios } from './ratios.ts'
import { fixture } from './testing/fixture.ts'

describe('ratios', () => {
  const run = analyse(fixture())

  it('gives each mode against its yardstick, with intervals, for every closed-loop cell', () => {
    const { markdown, found } = ratios(run)
    expect(found).toBe(true)
    const [head = '', , ...rest] = markdown.split('\n')
    expect(head).toContain('`sidecar` ÷ `baseline`')
    const capacity = rest.find((row) => row.startsWith('| requests/s'))
    expect(capacity).toMatch(/\d\.\d+ \(0\.\d+–\d\.\d+\)/)
    expect(rest.some((row) => row.startsWith('| stream up'))).toBe(true)
    expect(rest.some((row) => row.startsWith('| new connections/s'))).toBe(true)
    expect(markdown).toContain('paired by block')
  })

  it('takes one yardstick for all', () => {
    expect(ratios(run, 'ambient').markdown.split('\n')[0]).toContain('`baseline` ÷ `ambient`')
  })

  it('says when there is nothing to compare', () => {
    expect(ratios({ ...run, modes: run.modes.slice(0, 1) }).found).toBe(false)
  })
})

describe('withTable', () => {
  it('replaces what stands between the marks and nothing else', () => {
    const text = 'a\n<!-- ratios -->\nold\n<!-- /ratios -->\nb'
    const once = withTable(text, '| t |\n', 'README.md')
    expect(once).toBe('a\n<!-- ratios -->\n\n| t |\n\n<!-- /ratios -->\nb')
    expect(withTable(once, '| t |\n', 'README.md')).toBe(once)
  })

  it('refuses a file without marks', () => {
    expect(() => withTable('nothing', 't', 'X.md')).toThrow('X.md has no place for the table')
  })
})
