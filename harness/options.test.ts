import { describe, expect, it } from 'vitest'
import { defineCommand } from './command.ts'
import { benchOptions, help, parse } from './options.ts'

const bench = defineCommand({ name: 'bench', about: 'measures', options: benchOptions, run: async () => 'ok' })
const options = async (...argv: string[]) => (await parse(bench, argv)).options

describe('bench options', () => {
  it.each([
    ['--mode=ambient', '--mode=sidecar'],
    ['--mode=ambient,sidecar'],
    ['--mode', 'ambient', '--mode', 'sidecar'],
    ['--mode', 'ambient, sidecar,ambient'],
  ])('takes %s %s', async (...argv) => {
    expect((await options(...argv.filter(Boolean)))['mode']).toEqual(['ambient', 'sidecar'])
  })

  it('has defaults', async () => {
    expect(await options()).toMatchObject({ profile: 'quick', driver: 'native', seed: 1, dryRun: false })
    expect((await parse(bench, ['--dry-run', '--rate', '100,2e3'])).given).toEqual(new Set(['dryRun', 'rate']))
    expect((await options('--rate', '100,2e3'))['rate']).toEqual([100, 2000])
  })

  it.each([
    [['--mod', 'ambient'], 'unknown option --mod; did you mean --mode?'],
    [['--mode', 'ambiant'], 'unknown --mode ambiant; did you mean ambient?'],
    [['--profile', 'quik'], 'unknown --profile quik; did you mean quick?'],
    [['--test', 'latency,crrr'], 'unknown --test crrr; did you mean crr?'],
    [['--blocks', 'many'], '--blocks many:'],
    [['--blocks', '0'], '--blocks 0:'],
    [['--rate'], '--rate needs a value'],
    [['--keep=yes'], '--keep takes no value'],
    [['--seed', '1', '--seed', '2'], '--seed was given twice'],
    [['now'], '«now» is not expected here'],
  ])('refuses %j in one line', async (argv, line) => {
    const error = await parse(bench, argv).catch((cause) => cause)
    expect(error.line()).toContain(line)
    expect(error.line()).not.toContain('\n')
    expect(error.exit).toBe('usage')
  })

  it('shows every option in help', () => {
    expect(help(bench)).toContain('--dry-run')
    expect(help(bench)).toContain('[baseline,sidecar,ambient,waypoint]')
  })
})
