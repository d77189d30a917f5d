import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { exitCodes as allCodes } from '../harness/errors.ts'
import { goesOn, nodeProblem, stepsFor, testArguments } from './arguments.mjs'
import { tellingLine } from './command.mjs'
import { exitCodes } from './exit-codes.mjs'
import { withLock } from './lock.mjs'
import { progressLine } from './messages.mjs'
import { describeNeeds, isDebian, isInstalled, missingOf, testNeeds } from './packages.mjs'
import { filesBelow, hashOf, isDone, markDone } from './stamps.mjs'
import { cargoCounts, summed, vitestCounts } from './test-counts.mjs'

const folder = mkdtempSync(join(tmpdir(), 'dpb-setup-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('stamps', () => {
  const [a, b] = [join(folder, 'a.rs'), join(folder, 'b.rs')]
  writeFileSync(a, 'one')
  writeFileSync(b, 'two')

  it('see edits, renames and the salt, not the order', () => {
    const before = hashOf([a, b])
    expect(hashOf([b, a])).toBe(before)
    expect(hashOf([a, b], 'arm64')).not.toBe(before)
    writeFileSync(b, 'three')
    expect(hashOf([a, b])).not.toBe(before)
  })

  it('hold only with the same hash and while what was made is there', () => {
    markDone('step', 'h1', folder)
    expect(isDone('step', 'h1', [a], folder)).toBe(true)
    expect(isDone('step', 'h2', [a], folder)).toBe(false)
    expect(isDone('step', 'h1', [join(folder, 'gone')], folder)).toBe(false)
    expect(isDone('never', 'h1', [], folder)).toBe(false)
  })

  it('leave out build output', () => {
    mkdirSync(join(folder, 'target'))
    writeFileSync(join(folder, 'target', 'c.rs'), '')
    expect(filesBelow(folder, (name) => name.endsWith('.rs')).sort()).toEqual([a, b])
  })
})

describe('lock', () => {
  const lock = join(folder, 'lock')

  it('lets one in at a time, and says once that it waits', async () => {
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    let inside = 0
    let most = 0
    const work = async (): Promise<void> => {
      most = Math.max(most, ++inside)
      await new Promise(setImmediate)
      inside -= 1
    }
    await Promise.all([withLock(lock, work), withLock(lock, work), withLock(lock, work)])
    expect(most).toBe(1)
    expect(said).toHaveBeenCalledTimes(2) // by each of the two that waited
    said.mockRestore()
  })

  it('is taken over from a dead owner', async () => {
    writeFileSync(lock, `${process.pid} 1`) // this pid, but another start time: a reused id
    await expect(withLock(lock, async () => 'in')).resolves.toBe('in')
  })
})

describe('arguments', () => {
  it('ask only for the steps a command needs', () => {
    expect(stepsFor('bench', [])).toEqual(['npm', 'debian', 'native', 'envoy'])
    expect(stepsFor('bench', ['--dry-run'])).toEqual(['npm'])
    expect(stepsFor('report', ['x'])).toEqual(['npm'])
    expect(stepsFor('test', ['--unit'])).toEqual(['npm'])
    expect(stepsFor('doctor', [])).not.toContain('debian')
    expect(stepsFor('bench', ['--mode', 'baseline,kata-fast'])).toContain('uml')
    expect(stepsFor('bench', ['--sandboxed=client'])).toContain('uml')
  })

  it('go on without asking by --yes, in CI, without a terminal', () => {
    expect(goesOn([], {}, true)).toBe(false)
    expect(goesOn(['--yes'], {}, true)).toBe(true)
    expect(goesOn([], { CI: 'true' }, true)).toBe(true)
    expect(goesOn([], {}, false)).toBe(true)
  })

  it('of npm test are paths and -t; others are refused before any test runs', () => {
    expect(testArguments(['--unit', 'harness', '-t', 'resumes'])).toEqual({
      unit: true,
      more: ['harness', '-t', 'resumes'],
    })
    expect(testArguments(['--yes'])).toEqual({ unit: false, more: [] })
    expect(() => testArguments(['--unti'])).toThrow('unknown option --unti')
  })

  it.each([
    ['18.20.0', true],
    ['20.0.0', false],
    ['24.9.1', false],
    ['25.0.0', true],
  ])('Node %s refused: %s', (version, refused) => {
    expect(nodeProblem(version) !== undefined).toBe(refused)
  })
})

describe('packages', () => {
  it('know Debian and what descends from it', () => {
    expect(isDebian('NAME="Debian"\nID=debian\n')).toBe(true)
    expect(isDebian('ID=linuxmint\nID_LIKE="ubuntu debian"\n')).toBe(true)
    expect(isDebian('ID=fedora\nPRETTY_NAME="not debian"\n')).toBe(false)
    expect(isDebian('')).toBe(false)
  })

  it('name what is missing and why', () => {
    const missing = missingOf(testNeeds, (program) => program !== 'ipset')
    expect(describeNeeds(missing)).toBe('ipset (probe sets)')
  })

  it('take what does as well', () => {
    expect(missingOf(testNeeds, (program) => program !== 'chromium' && program !== 'google-chrome')).toEqual([])
    const none = missingOf(testNeeds, (program) => !/chrom/.test(program))
    expect(none.map((need) => need.package)).toEqual(['chromium'])
  })

  it('look for programs by doing', () => {
    expect(isInstalled('sh')).toBe(true)
    expect(isInstalled('no-such-program')).toBe(false)
  })
})

describe('messages', () => {
  it('show elapsed time, colour only when asked', () => {
    expect(progressLine(1234, 'x', false)).toBe('  1.2 s  x')
    expect(progressLine(1234, 'x', true)).toContain('\u001b[')
  })

  it('pick the line that says most', () => {
    expect(tellingLine('npm error code E404\nnpm error 404 Not Found\nnpm error log')).toBe('npm error 404 Not Found')
    expect(tellingLine('Compiling\nerror[E0425]: cannot find value\n  |\n')).toBe('error[E0425]: cannot find value')
    expect(tellingLine('a\nlast\n\n')).toBe('last')
    expect(tellingLine('')).toBe('it said nothing')
  })

  it('use the exit codes of the house', () => {
    for (const [name, code] of Object.entries(exitCodes)) expect(allCodes).toHaveProperty([name, 'code'], code)
  })
})

describe('test counts', () => {
  it('sum vitest and cargo', () => {
    const vitest = vitestCounts('{"numPassedTests":5,"numFailedTests":1,"numFailedTestSuites":1,"success":false}')
    const text = 'test result: ok. 3 passed; 0 failed; 0 ignored\ntest result: FAILED. 2 passed; 1 failed; 0 ignored\n'
    expect(summed([vitest, cargoCounts(text)])).toBe('10 passed, 2 failed')
  })

  it('count a file that does not load as a failure', () => {
    const json = '{"numPassedTests":5,"numFailedTests":0,"numFailedTestSuites":1,"success":false}'
    expect(vitestCounts(json).failed).toBe(1)
  })
})
