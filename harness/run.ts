/** A run, from capacity search to its last block: the table of contents. */

import type { Manifest } from '../results/manifest.ts'
import { type ShotOutcome, verdictOf } from '../results/shot-rows.ts'
import type { RunWriter } from '../results/write.ts'
import type { Check, Collector, Driver, Mode, Path, PlannedShot, Provider, Testbed } from './contracts.ts'
import { BenchError } from './errors.ts'
import {
  cellName,
  cellsOf,
  loadsOf,
  needsSearch,
  type PlanRequest,
  planBlocks,
  planSearch,
  ratesFrom,
  visitsOf,
} from './plan.ts'
import type { Progress } from './progress.ts'
import { Scope } from './scope.ts'
import { type VisitContext, visit } from './visit.ts'
import type { Warning } from './warnings.ts'
import type { Sky } from './weather.ts'

/** Everything a run touches; tests hand in fakes. */
export interface World {
  readonly provider: Provider
  readonly modes: readonly Mode[]
  readonly driver: Driver
  readonly collectors: readonly Collector[]
  readonly checks: readonly Check[]
  readonly writer: RunWriter
  readonly progress: Progress
  readonly signal: AbortSignal
  readonly workDir: string
  /** Looks at the host before a block: PSI and spin test. */
  sky(): Promise<Pick<Sky, 'cpuPressurePercent' | 'spinRatio'>>
  floor(bed: Testbed): Promise<number | null>
}

export interface RunRequest extends PlanRequest {
  readonly placement: 'cross-node' | 'same-node'
  readonly keep: boolean
}

/** Share of void shots above which a run cannot tell anything (methodology rule 26). */
const voidShare = 0.2

/** Search capacity of each shot, from its measurements or the record of a resumed run. */
export type Capacities = Map<string, { readonly mode: string; readonly perSecond: number }>

interface State {
  manifest: Manifest
  readonly complete: Set<string>
  readonly capacities: Capacities
  readonly counts: { valid: number; void: number; missing: number }
  readonly warnings: Warning[]
}

export interface RunResult {
  readonly manifest: Manifest
  readonly counts: Readonly<{ valid: number; void: number; missing: number }>
}

/** Runs what is missing; `complete` names shots that a resumed run already has. */
export async function run(
  world: World,
  request: RunRequest,
  begun: Manifest,
  done: { readonly complete: ReadonlySet<string>; readonly capacities: Capacities },
): Promise<RunResult> {
  const state: State = {
    manifest: { ...begun, outcome: 'running', finishedAt: null },
    complete: new Set(done.complete),
    capacities: new Map(done.capacities),
    counts: { valid: 0, void: 0, missing: 0 },
    warnings: [...begun.warnings],
  }
  try {
    await findFloor(world, request, state)
    await searchCapacities(world, request, state)
    await planRun(world, request, state)
    await fireBlocks(world, request, state)
    await finish(world, state, outcomeOf(world, state))
  } catch (cause) {
    // the disk may be why; the first error is the one to tell
    await finish(world, state, world.signal.aborted ? 'interrupted' : 'failed').catch(() => {})
    if (!world.signal.aborted) throw cause
  }
  return { manifest: state.manifest, counts: state.counts }
}

async function save(world: World, state: State, changes: Partial<Manifest>): Promise<void> {
  state.manifest = { ...state.manifest, ...changes, warnings: state.warnings }
  await world.writer.manifest(state.manifest)
}

/** Driver floor, on a throwaway testbed. */
async function findFloor(world: World, request: RunRequest, state: State): Promise<void> {
  await save(world, state, {})
  if (state.manifest.driverFloorNs !== null || world.signal.aborted) return
  await using scope = new Scope('driver floor')
  const { placement, seed } = request
  const bedRequest = { runId: state.manifest.run, placement, workDir: `${world.workDir}/floor`, seed }
  const bed = await world.provider.open(bedRequest, scope, world.progress)
  await save(world, state, { driverFloorNs: await world.floor(bed) })
}

/** Block 0, and the rates from the weakest mode's capacity. */
async function searchCapacities(world: World, request: RunRequest, state: State): Promise<void> {
  if (!needsSearch(request) || state.manifest.rates) return
  const plan = planSearch(request)
  await save(world, state, { plan })
  world.progress.step('block 0: searching capacities')
  await fireAll(world, request, state, plan)
  if (world.signal.aborted) return
  const [weakest] = [...state.capacities.values()].sort((a, b) => a.perSecond - b.perSecond)
  if (!weakest)
    throw new BenchError('failed', 'no mode could be laid and measured in the capacity search', 'npm run doctor')
  const rates = ratesFrom(loadsOf(request), weakest.perSecond)
  await save(world, state, {
    rates: {
      weakest: weakest.mode,
      capacityPerSecond: weakest.perSecond,
      ratesPerSecond: rates.map((rate) => rate.perSecond),
    },
  })
}

/** The whole plan, once rates are known; cells the driver cannot fire are left out and said. */
async function planRun(world: World, request: RunRequest, state: State): Promise<void> {
  if (world.signal.aborted) return
  const { rates } = state.manifest
  const found = rates ? ratesFrom(loadsOf(request), rates.capacityPerSecond) : []
  const given = (request.rates ?? []).map((perSecond) => ({ perSecond, loadPercent: null }))
  const cells = cellsOf(request, request.rates ? given : found).filter((cell) => {
    const answer = world.driver.supports(cell)
    if (answer.ok) return true
    const warning = {
      code: 'cell-unsupported',
      driver: world.driver.name,
      cell: cellName(cell),
      because: answer.because,
    } as const
    state.warnings.push(warning)
    world.progress.warn(warning)
    return false
  })
  if (cells.length === 0)
    throw new BenchError('usage', `driver ${world.driver.name} can fire none of the cells`, 'use --driver native')
  const search = needsSearch(request) ? planSearch(request) : []
  await save(world, state, { plan: [...search, ...planBlocks(request, cells)] })
}

async function fireBlocks(world: World, request: RunRequest, state: State): Promise<void> {
  if (world.signal.aborted) return
  await fireAll(
    world,
    request,
    state,
    state.manifest.plan.filter((shot) => shot.block > 0),
  )
}

/** Fires what is not complete yet, visit by visit. */
async function fireAll(world: World, request: RunRequest, state: State, plan: readonly PlannedShot[]): Promise<void> {
  const left = plan.filter((shot) => !state.complete.has(shot.id))
  world.progress.plan(left)
  const last = left.at(-1)?.id
  const context = contextOf(world, request, state, (shots) => request.keep && shots.some((shot) => shot.id === last))
  let block = -1
  let sky: Sky = { cpuPressurePercent: null, spinRatio: 1, driverFloorNs: null }
  for (const next of visitsOf(left)) {
    if (world.signal.aborted) return
    const mode = world.modes.find((candidate) => candidate.name === next.mode)
    if (!mode)
      throw new BenchError('input', `the plan names mode ${next.mode}, which this version lacks`, 'npm run modes')
    if (next.block !== block) sky = { ...(await world.sky()), driverFloorNs: state.manifest.driverFloorNs }
    block = next.block
    const { missing, because } = await visit(context, mode, next.shots, sky)
    if (world.signal.aborted) return
    state.counts.missing += missing.length
    for (const shot of missing) world.progress.shot(shot, 'missing', because)
  }
  if (left.length > 0 && state.counts.valid + state.counts.void === 0)
    throw new BenchError('failed', 'no mode could be laid', 'see above; npm run doctor')
}

function contextOf(world: World, request: RunRequest, state: State, keep: VisitContext['keep']): VisitContext {
  return {
    ...world,
    runId: state.manifest.run,
    placement: request.placement,
    seed: request.seed,
    log: world.progress,
    keep,
    laid: (path, mode) => noteMode(state, path, mode),
    record: async (outcome) => {
      await world.writer.shot(outcome)
      note(world, state, outcome)
      if (Object.keys(state.manifest.modes).length > savedModes(state)) await save(world, state, {})
    },
  }
}

const saved = new WeakMap<State, number>()
/** How many modes the manifest on disk holds, as far as asked here; asking says that they are about to be saved. */
function savedModes(state: State): number {
  const before = saved.get(state) ?? 0
  saved.set(state, Object.keys(state.manifest.modes).length)
  return before
}

function noteMode(state: State, path: Path, mode: Mode): void {
  if (state.manifest.modes[mode.name]) return
  const { proxy, sandbox, versions, picture } = path
  const facts = { about: mode.about, comparedWith: mode.comparedWith, proxy, sandbox, versions, picture }
  state.manifest = { ...state.manifest, modes: { ...state.manifest.modes, [mode.name]: facts } }
}

function note(world: World, state: State, outcome: ShotOutcome): void {
  const { planned, checks, measurements } = outcome
  const verdict = verdictOf(checks)
  state.complete.add(planned.id)
  state.counts[verdict]++
  const throughput = measurements.find((measurement) => measurement.metric === 'throughput')?.value
  if (planned.block === 0 && throughput) state.capacities.set(planned.id, { mode: planned.mode, perSecond: throughput })
  const failed = checks.filter((check) => !check.passed && check.severity === 'void')
  const why = failed.map((check) => `${check.code}: ${check.actual}`).join('; ')
  world.progress.shot(planned, verdict, verdict === 'void' ? why : headline(outcome))
}

/** The figure that says most about a shot. */
function headline({ measurements }: ShotOutcome): string {
  const value = (metric: string): number | undefined => measurements.find((m) => m.metric === metric)?.value
  const p50 = value('latency_p50')
  const rate = value('throughput') ?? value('connections_per_second')
  const stream = value('stream_up') ?? value('stream_down')
  return [
    p50 === undefined ? '' : `p50 ${Math.round(p50 / 1000)} µs`,
    rate === undefined ? '' : `${Math.round(rate)}/s`,
    stream === undefined ? '' : `${(stream / 1e9).toFixed(2)} Gbit/s`,
  ]
    .filter(Boolean)
    .join(', ')
}

function outcomeOf(world: World, state: State): Manifest['outcome'] {
  if (world.signal.aborted) return 'interrupted'
  const { counts } = state
  const fired = counts.valid + counts.void
  return fired > 0 && counts.void / fired > voidShare ? 'undecided' : 'done'
}

async function finish(world: World, state: State, outcome: Manifest['outcome']): Promise<void> {
  await save(world, state, { outcome, finishedAt: new Date().toISOString() })
}
