/** `bench` from options to report. */
import { randomBytes } from 'node:crypto'
import { join, resolve } from 'node:path'
import { modes } from '../clusters/datapaths/index.ts'
import { providers } from '../clusters/providers/index.ts'
import { allowedCpus } from '../clusters/providers/local/cpus.ts'
import { schemaVersion } from '../results/columns.ts'
import { findRun } from '../results/find.ts'
import type { Manifest } from '../results/manifest.ts'
import { readManifest, readRecord } from '../results/read.ts'
import { refuseContradictions, resumeFolder } from '../results/resume.ts'
import { RunWriter } from '../results/write.ts'
import { drivers } from '../workloads/drivers/index.ts'
import type { Capacities } from './capacities.ts'
import { checks } from './checks/index.ts'
import { collectors } from './collectors/index.ts'
import type { CommandInput } from './command.ts'
import type { Availability, Mode, Provider } from './contracts.ts'
import { dryRun } from './dry-run.ts'
import { BenchError, type ExitName } from './errors.ts'
import { commit, hostFacts, pinning, version } from './facts.ts'
import { driverFloorNs } from './floor.ts'
import { onInterrupt } from './interrupt.ts'
import { type Done, nothingDone } from './ledger.ts'
import { takeLock } from './lock.ts'
import type { benchOptions } from './options.ts'
import { again } from './plan.ts'
import { profiles } from './profiles.ts'
import { jsonProgress, type Progress, textProgress } from './progress.ts'
import { type RunRequest, type RunResult, run, type World } from './run.ts'
import { Scope } from './scope.ts'
import { chooseModes } from './variants.ts'
import { Calm, readPressure, SpinMeter } from './weather.ts'

export type BenchInput = CommandInput<typeof benchOptions>
type Options = BenchInput['options']

/** 20260214-093015-4f2a: sorts by time, two in one second differ. */
function newRunId(now = new Date()): string {
  const stamp = now.toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15)
  return `${stamp}-${randomBytes(2).toString('hex')}`
}

/** The modes asked for, as variants. */
const modesOf = ({ mode, proxy, sandboxed }: Options): Mode[] =>
  chooseModes(modes, mode, { ...(proxy ? { proxy } : {}), ...(sandboxed ? { sandboxed } : {}) })

function requestOf(options: Options): RunRequest {
  if (options.rate && options.load)
    throw new BenchError('usage', '--rate and --load exclude each other', 'give one of them')
  return {
    modes: modesOf(options).map(({ name }) => name),
    profile: options.profile,
    tests: options.test,
    protocol: options.protocol,
    rates: options.rate,
    loads: options.load,
    connections: options.connections,
    payloads: options.payload,
    durationSeconds: options.duration,
    blocks: options.blocks,
    seed: options.seed,
    placement: options.placement,
    keep: options.keep,
  }
}

function orThrow(what: string, answer: Availability): void {
  if (!answer.ok) throw new BenchError('missing', `${what} cannot run here: ${answer.because}`, answer.remedy)
}

interface Begun {
  readonly folder: string
  readonly manifest: Manifest
  readonly options: Options
}

async function beginNew(input: BenchInput): Promise<Begun> {
  const { options } = input
  const id = newRunId()
  const manifest: Manifest = {
    schemaVersion,
    run: id,
    version: version(),
    commit: await commit(),
    startedAt: new Date().toISOString(),
    finishedAt: null,
    options,
    command: `npm run ${input.line}`,
    seed: options.seed,
    host: hostFacts(),
    pinning: pinning(allowedCpus()),
    driverFloorNs: null,
    rates: null,
    plan: [],
    modes: {},
    warnings: [],
    outcome: 'running',
  }
  return { folder: resolve(options.out, 'results', id), manifest, options }
}

/** What a resumed run has, from its cleaned files. Void shots are done too: firing them again until they pass would cheat. */
async function doneBefore(folder: string, complete: ReadonlySet<string>): Promise<Done> {
  const { shots } = await readRecord(folder)
  const capacities: Capacities = new Map(
    shots
      .filter((row) => row.block === 0 && row.metric === 'throughput')
      .map(({ shot, mode, value, verdict }) => {
        const form = shot.replace(`b00-${mode}-`, '').replace(again, '')
        return [shot, { mode, form, perSecond: value ?? 0, sound: verdict === 'valid' }]
      }),
  )
  const ends = shots.filter((row) => row.metric === 'record_rows')
  const valid = ends.filter((row) => row.verdict === 'valid').length
  return { complete, capacities, counts: { valid, void: ends.length - valid, missing: 0 } }
}

/** A resumed run has its own options; only where to print comes from the command line. */
function beginAgain(input: BenchInput, run: string): Begun {
  const folder = findRun(input.options.out, run)
  const manifest = readManifest(folder)
  refuseContradictions(manifest, input.given, input.options)
  const { out, json, yes, keep } = input.options
  return { folder, manifest, options: { ...(manifest.options as Options), out, json, yes, keep } }
}

async function choose(options: Options): Promise<Pick<World, 'provider' | 'modes' | 'driver'>> {
  const provider = providers.find(({ name }) => name === options.provider) as Provider | undefined
  const driver = drivers.find(({ name }) => name === options.driver)
  const chosen = modesOf(options)
  if (!provider || !driver)
    throw new BenchError('usage', 'the provider or driver of this run is not known here', 'npm run doctor')
  orThrow(`provider ${provider.name}`, await provider.available())
  orThrow(`driver ${driver.name}`, await driver.available())
  for (const mode of chosen) {
    if (!mode.runsOn.includes(provider.name))
      throw new BenchError(
        'usage',
        `${mode.name} does not run on ${provider.name}`,
        `it runs on ${mode.runsOn.join(', ')}`,
      )
    orThrow(`mode ${mode.name}`, await mode.available(provider.name))
  }
  return { provider, driver, modes: chosen }
}

async function measureAll(begun: Begun, resumed: boolean, progress: Progress): Promise<RunResult> {
  await using scope = new Scope('bench')
  const { options, manifest, folder } = begun
  const chosen = await choose(options)
  takeLock(manifest.run, scope)
  // under the lock: nobody writes this folder while it is cleaned
  const done = resumed ? await doneBefore(folder, (await resumeFolder(folder)).complete) : nothingDone
  const signal = onInterrupt(scope, (message) => progress.step(message))
  const removed = await chosen.provider.clean(progress)
  const leftovers = removed.length > 0 ? [{ code: 'leftovers-removed', what: removed } as const] : []
  for (const warning of leftovers) progress.warn(warning)
  const writer = await RunWriter.open(folder, manifest.run)
  scope.defer('results', () => writer.close())
  const meter = new SpinMeter(allowedCpus())
  const spin = (): Promise<number> => meter.ratio()
  const calm = new Calm(spin, options.calmTimeout ?? profiles[options.profile].calmSeconds)
  const world: World = {
    ...chosen,
    collectors,
    checks,
    writer,
    progress,
    signal,
    workDir: join(folder, 'logs'),
    pressure: readPressure,
    spin,
    calm: (stop) => calm.wait(stop),
    floor: (bed) => driverFloorNs(bed, chosen.driver, signal),
    hold: (path) => untilInterrupted(signal, path.mode, progress),
  }
  const withWarnings = { ...manifest, warnings: [...manifest.warnings, ...leftovers] }
  return await run(world, requestOf(options), withWarnings, done) // awaited here, before the scope ends
}

/** `--keep`: the last mode stays up for inspection, owned by this process, so that nothing outlives it. */
function untilInterrupted(signal: AbortSignal, mode: string, progress: Progress): Promise<void> {
  progress.step(`${mode} is still up: ip netns list; ip netns exec NAME …; Ctrl-C takes it down and writes the report`)
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/** Writes the report; a failure is a warning, for the results are there. */
async function report(begun: Begun, progress: Progress): Promise<string | null> {
  try {
    const { writeReport } = await import('../reports/write.ts')
    return await writeReport(await readRecord(begun.folder), resolve(begun.options.out, 'reports'))
  } catch (cause) {
    progress.warn({ code: 'report-failed', detail: cause instanceof Error ? cause.message : String(cause) })
    return null
  }
}

const exits = {
  done: 'ok',
  undecided: 'undecided',
  interrupted: 'interrupted',
  failed: 'failed',
  running: 'failed',
} as const

export async function bench(input: BenchInput): Promise<ExitName> {
  const { resume, dryRun: only, json } = input.options
  if (only && !resume) return dryRun(requestOf(input.options), json)
  requestOf(input.options)
  const progress = json ? jsonProgress() : textProgress()
  const begun = resume ? beginAgain(input, resume) : await beginNew(input)
  const { manifest, counts } = await measureAll(begun, resume !== undefined, progress)
  const page = await report(begun, progress)
  progress.summary({ run: manifest.run, outcome: manifest.outcome, ...counts, results: begun.folder, report: page })
  if (!json) {
    const { valid, void: voided, missing } = counts
    process.stdout.write(`${manifest.outcome}: ${valid} shots valid, ${voided} void, ${missing} missing\n`)
    const { modeLines } = await import('./mode-summary.ts')
    for (const line of modeLines(await readRecord(begun.folder))) process.stdout.write(`${line}\n`)
    process.stdout.write(`results ${begun.folder}\n${page ? `report  ${page}\n` : ''}`)
  }
  return exits[manifest.outcome]
}
