/** A run, from capacity search to its last block: the table of contents. */
import type { Manifest } from '../results/manifest.ts'
import type { RunWriter } from '../results/write.ts'
import { isDisturbed, weakest } from './capacities.ts'
import type { Cell, Check, Collector, Driver, Mode, PlannedShot, Provider, Testbed } from './contracts.ts'
import { BenchError } from './errors.ts'
import { type Counts, type Done, Ledger, nothingDone } from './ledger.ts'
import {
  cellName,
  cellsOf,
  loadsOf,
  needsSearch,
  type PlanRequest,
  planBlocks,
  planSearch,
  ratesFrom,
  supposedRates,
  visitsOf,
} from './plan.ts'
import type { Progress } from './progress.ts'
import { type VisitContext, visit } from './visit.ts'

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
  /** PSI of the cpu, read before a block. */
  pressure(): number | null
  /** Spin test beside a shot: the slowest CPU against its best in this run. */
  spin(): Promise<number>
  /** Waits for a host that is not squeezed, within the run's time for that; gives the spin ratio then. */
  calm(signal: AbortSignal): Promise<number>
  floor(bed: Testbed): Promise<number | null>
  /** With `--keep`: the last testbed is up; resolves when it may be taken down. */
  hold(path: { readonly mode: string }): Promise<void>
}

export interface RunRequest extends PlanRequest {
  readonly placement: 'cross-node' | 'same-node'
  readonly keep: boolean
}

/** Share of void shots above which a run cannot tell anything (methodology rule 26). */
const voidShare = 0.2

export interface RunResult {
  readonly manifest: Manifest
  readonly counts: Counts
}

/** Runs what is missing; `done` is what a resumed run already has. */
export async function run(
  world: World,
  request: RunRequest,
  begun: Manifest,
  done: Done = nothingDone,
): Promise<RunResult> {
  const ledger = new Ledger(begun, done, world.writer, world.progress)
  try {
    await ledger.save({})
    await searchCapacities(world, request, ledger)
    await planRun(world, request, ledger)
    await fireAll(
      world,
      request,
      ledger,
      ledger.manifest.plan.filter((shot) => shot.block > 0),
    )
    await finish(ledger, outcomeOf(world, ledger))
  } catch (cause) {
    // the disk may be why; the first error is the one to tell
    await finish(ledger, world.signal.aborted ? 'interrupted' : 'failed').catch(() => {})
    if (!world.signal.aborted) throw cause
  }
  return { manifest: ledger.manifest, counts: ledger.counts }
}

/** Block 0, once more for modes that the host disturbed, and the rates from the weakest mode's capacity. */
async function searchCapacities(world: World, request: RunRequest, ledger: Ledger): Promise<void> {
  if (!needsSearch(request) || ledger.manifest.rates || world.signal.aborted) return
  world.progress.step('block 0: searching capacities')
  const later = planBlocks(request, cellsOf(request, supposedRates(request)))
  const searched: PlannedShot[] = []
  for (const pass of [1, 2] as const) {
    const plan = planSearch(request, pass).filter(
      ({ mode, cell }) =>
        firable(world, ledger, cell) &&
        (pass === 1 || isDisturbed(ledger.capacities.values(), { mode, form: cellName(cell) })),
    )
    searched.push(...plan)
    await ledger.save({ plan: searched })
    await fireAll(world, request, ledger, plan, later)
    if (world.signal.aborted) return
  }
  const least = weakest(ledger.capacities.values())
  if (!least)
    throw new BenchError('failed', 'no mode could be laid and measured in the capacity search', 'npm run doctor')
  const rates = ratesFrom(loadsOf(request), least.perSecond)
  await ledger.save({
    rates: {
      weakest: least.mode,
      capacityPerSecond: least.perSecond,
      ratesPerSecond: rates.map((rate) => rate.perSecond),
    },
  })
}

/** Whether the driver can fire such a cell; if not, it is said once. */
function firable(world: World, ledger: Ledger, cell: Cell): boolean {
  const answer = world.driver.supports(cell)
  if (answer.ok) return true
  const warning = {
    code: 'cell-unsupported',
    driver: world.driver.name,
    cell: cellName(cell),
    because: answer.because,
  } as const
  if (!ledger.manifest.warnings.some((known) => known.code === warning.code && known.cell === warning.cell))
    ledger.warn(warning)
  return false
}

/** The whole plan, once rates are known; cells the driver cannot fire are left out and said. */
async function planRun(world: World, request: RunRequest, ledger: Ledger): Promise<void> {
  if (world.signal.aborted) return
  const { rates } = ledger.manifest
  const found = rates ? ratesFrom(loadsOf(request), rates.capacityPerSecond) : []
  const given = (request.rates ?? []).map((perSecond) => ({ perSecond, loadPercent: null }))
  const cells = cellsOf(request, request.rates ? given : found).filter((cell) => firable(world, ledger, cell))
  if (cells.length === 0)
    throw new BenchError('usage', `driver ${world.driver.name} can fire none of the cells`, 'use --driver native')
  const search = ledger.manifest.plan.filter((shot) => shot.block === 0)
  await ledger.save({ plan: [...search, ...planBlocks(request, cells)] })
}

/** Driver floor: once per run, on its first testbed, while nothing is laid on it. */
async function findFloor(world: World, ledger: Ledger, bed: Testbed): Promise<void> {
  if (ledger.manifest.driverFloorNs === null)
    await ledger.save({ driverFloorNs: await world.floor(bed).catch(() => null) })
}

/** Fires what is not complete yet, visit by visit; `later` is only for the time left. */
async function fireAll(
  world: World,
  request: RunRequest,
  ledger: Ledger,
  plan: readonly PlannedShot[],
  later: readonly PlannedShot[] = [],
): Promise<void> {
  const left = plan.filter((shot) => !ledger.complete.has(shot.id))
  const before = ledger.counts
  world.progress.plan([...left, ...later])
  const last = left.at(-1)
  let pressure: number | null = null
  const context: VisitContext = {
    ...world,
    runId: ledger.manifest.run,
    placement: request.placement,
    seed: request.seed,
    log: world.progress,
    keep: (shots) => request.keep && last !== undefined && last.block > 0 && shots.includes(last),
    sky: () => ({ cpuPressurePercent: pressure, driverFloorNs: ledger.manifest.driverFloorNs }),
    opened: (bed) => findFloor(world, ledger, bed),
    laid: (path, mode) => ledger.laid(path, mode),
    record: (outcome) => ledger.record(outcome),
  }
  let block = -1
  for (const next of visitsOf(left)) {
    if (world.signal.aborted) return
    const mode = world.modes.find((candidate) => candidate.name === next.mode)
    if (!mode)
      throw new BenchError('input', `the plan names mode ${next.mode}, which this version lacks`, 'npm run modes')
    if (next.block !== block) pressure = world.pressure()
    block = next.block
    const { missing, because } = await visit(context, mode, next.shots)
    if (world.signal.aborted) return
    ledger.miss(missing, because)
  }
  const fired = ledger.counts.valid + ledger.counts.void - before.valid - before.void
  if (left.length > 0 && fired === 0)
    throw new BenchError('failed', 'no mode could be laid', 'see above; npm run doctor')
}

function outcomeOf(world: World, { counts, complete, manifest }: Ledger): Manifest['outcome'] {
  // with --keep the Ctrl-C comes after the last shot, and interrupts nothing
  if (world.signal.aborted && !manifest.plan.every((shot) => complete.has(shot.id))) return 'interrupted'
  const fired = counts.valid + counts.void
  return fired > 0 && counts.void / fired > voidShare ? 'undecided' : 'done'
}

async function finish(ledger: Ledger, outcome: Manifest['outcome']): Promise<void> {
  await ledger.save({ outcome, finishedAt: new Date().toISOString() })
}
