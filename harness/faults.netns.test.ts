/** The command line under faults, for real: signals, killed proxies and drivers, a full disk, two runs at once. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { netnsRoot } from '../clusters/providers/local/names.ts'
import type { Row } from '../results/columns.ts'
import { readRecord } from '../results/read.ts'
import { exitCodes } from './errors.ts'
import { lockFile } from './lock.ts'
import { isAlive, type Owner } from './owner.ts'

const cli = ['--import', 'tsx', fileURLToPath(new URL('cli.ts', import.meta.url))]
const short = ['--test', 'rr', '--duration', '0.4', '--yes']

let out: string
const started: ChildProcess[] = []
beforeEach(async () => {
  out = mkdtempSync(join(tmpdir(), 'dpb-faults-'))
  await untilFree()
})
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
  rmSync(out, { recursive: true, force: true })
})

interface Bench {
  readonly child: ChildProcess
  readonly output: () => string
  /** Resolves with the output when a line matches; rejects if the process ends before. */
  until(pattern: RegExp): Promise<string>
  readonly exit: Promise<number | null>
}

function bench(args: readonly string[], command: readonly string[] = [process.execPath]): Bench {
  const [program = '', ...before] = command
  const child = spawn(program, [...before, ...cli, 'bench', '--out', out, ...args], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
  })
  started.push(child)
  let text = ''
  const waiting = new Set<() => void>()
  const hear = (data: Buffer): void => {
    text += data
    for (const look of waiting) look()
  }
  child.stdout?.on('data', hear)
  child.stderr?.on('data', hear)
  const exit = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
  const until = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (pattern.test(text)) resolve(text)
      }
      waiting.add(look)
      look()
      void exit.then(() => reject(new Error(`ended before ${pattern}: ${text}`)))
    })
  return { child, output: () => text, until, exit }
}

/** Somebody else's run may have this machine; a test waits for its end. */
async function untilFree(): Promise<void> {
  while (existsSync(lockFile) && isAlive(JSON.parse(readFileSync(lockFile, 'utf8')) as Owner))
    await new Promise((resolve) => setTimeout(resolve, 200))
}

const runFolder = (): string => join(out, 'results', readdirSync(join(out, 'results'))[0] ?? '')
const namespacesOf = (folder: string): string[] =>
  existsSync(netnsRoot) ? readdirSync(netnsRoot).filter((name) => name.includes(folder.split('/').at(-1) ?? '')) : []
const ends = (rows: readonly Row<'shots'>[]): Row<'shots'>[] => rows.filter((row) => row.metric === 'record_rows')

/** Live processes of a run's namespaces: this program, with this text in its command line. */
function pidsOf(program: string, text = ''): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        if (!line.split('\0')[0]?.endsWith(program) || !line.includes(text)) return false
        return readFileSync(`/proc/${pid}/environ`, 'utf8').includes('DPB_PADDING=')
      } catch {
        return false
      }
    })
}

it('keeps finished shots and the report at Ctrl-C, and leaves nothing behind', async () => {
  const run = bench(['--mode', 'baseline', '--blocks', '50', ...short])
  await run.until(/valid|void/)
  run.child.kill('SIGINT')
  expect(await run.exit).toBe(exitCodes.interrupted.code)
  const record = await readRecord(runFolder())
  expect(ends(record.shots).length).toBeGreaterThan(0)
  expect(record.manifest.outcome).toBe('interrupted')
  expect(run.output()).toMatch(/report +\S+index\.html/)
  expect(namespacesOf(runFolder())).toEqual([])
}, 60_000)

it('refuses a second run at once, and the first is not disturbed', async () => {
  const first = bench(['--mode', 'baseline', '--blocks', '4', ...short])
  await first.until(/valid|void/)
  const second = bench(['--mode', 'baseline', ...short])
  expect(await second.exit).toBe(exitCodes.busy.code)
  expect(second.output()).toMatch(/is measuring on this machine; wait for its end/)
  await first.exit
  expect(ends((await readRecord(runFolder())).shots)).toHaveLength(4)
}, 60_000)

it('cleans up after kill -9 at the next start, and resumes without losing or repeating a shot', async () => {
  const run = bench(['--mode', 'baseline,ambient', '--blocks', '3', ...short])
  await run.until(/(valid|void).*[\s\S]*(valid|void)/)
  run.child.kill('SIGKILL')
  await run.exit
  const folder = runFolder()
  const before = ends((await readRecord(folder)).shots).map((row) => row.shot)
  expect(before.length).toBeGreaterThanOrEqual(2)
  const again = bench(['--resume', folder])
  await again.exit
  expect(again.output()).toMatch(/removed what a dead run left: .*namespace/)
  const record = await readRecord(folder)
  const after = ends(record.shots).map((row) => row.shot)
  expect(new Set(after).size).toBe(after.length)
  expect([...after].sort()).toEqual(record.manifest.plan.map((shot) => shot.id).sort())
  expect(after.slice(0, before.length)).toEqual(before)
  expect(namespacesOf(folder)).toEqual([])
}, 90_000)

it.each([
  ['the node proxy', 'envoy', /not-attested|driver-died|errors/],
  ['the driver', 'dpb-load', /driver-died/],
])(
  'voids the shot in which %s is killed, and goes on',
  async (_who, program, code) => {
    const run = bench(['--mode', 'ambient', '--blocks', '1', '--test', 'rr,crr', '--duration', '1.5', '--yes'])
    // killed while it drives: the driver of the first shot is up, and not the short-lived spin test
    const victim = await new Promise<number>((resolve) => {
      const look = (): void => {
        const driving = pidsOf('dpb-load', '10.10.2.20')
        const [pid] = driving.length > 0 ? (program === 'dpb-load' ? driving : pidsOf(program)) : []
        if (pid === undefined) setTimeout(look, 10)
        else resolve(pid)
      }
      look()
    })
    process.kill(victim, 'SIGKILL')
    await run.exit
    const record = await readRecord(runFolder())
    const shots = ends(record.shots)
    expect(shots).toHaveLength(2)
    const [hit, next] = shots
    expect(hit?.verdict).toBe('void')
    const why = record.checks
      .filter((row) => row.shot === hit?.shot && !row.passed)
      .map((row) => row.code)
      .join(' ')
    expect(why).toMatch(code)
    const facts = record.facts.filter((row) => row.shot === next?.shot)
    expect(facts.length).toBeGreaterThan(10)
    expect(facts.filter((row) => !row.holds)).toEqual([])
  },
  60_000,
)

it('says that the disk is full in one line, and keeps the finished shots', async () => {
  const keepOutside = mkdtempSync(join(tmpdir(), 'dpb-faults-copy-'))
  try {
    // a small disk of its own, in a mount namespace that ends with the run; what it held is copied out before
    const script = 'mount -t tmpfs -o size=160k tmpfs "$0" && { "$@"; code=$?; cp -r "$0"/. "$COPY"; exit $code; }'
    const small = ['env', `COPY=${keepOutside}`, 'unshare', '--mount', 'sh', '-c', script, out, process.execPath]
    const run = bench(['--mode', 'baseline', '--blocks', '50', ...short], small)
    expect(await run.exit).toBe(exitCodes.output.code)
    expect(run.output()).toMatch(/the disk is full; finished shots are kept; make room/)
    const folder = join(keepOutside, 'results', readdirSync(join(keepOutside, 'results'))[0] ?? '')
    const kept = ends((await readRecord(folder)).shots)
    expect(kept.length).toBeGreaterThan(0)
    expect(namespacesOf(folder)).toEqual([])
  } finally {
    rmSync(keepOutside, { recursive: true, force: true })
  }
}, 90_000)

it.each([
  [['--mode', 'sidecart'], exitCodes.usage.code, /sidecart.*did you mean.*sidecar|sidecar/],
  [['--rate', '10', '--load', '50'], exitCodes.usage.code, /exclude each other/],
  [['--resume', 'nowhere'], exitCodes.input.code, /nowhere/],
  [['--connections', '0'], exitCodes.usage.code, /connections/],
])('answers %j with one clear line', async (args, code, line) => {
  const run = bench([...args, '--yes'])
  expect(await run.exit).toBe(code)
  expect(run.output().trim().split('\n')).toHaveLength(1)
  expect(run.output()).toMatch(line)
})
