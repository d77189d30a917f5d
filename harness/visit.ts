/** One mode in one block: lays it on a fresh testbed, fires its shots, judges them, takes it down. */
import { join } from 'node:path'
import type { ShotOutcome } from '../results/shot-rows.ts'
import type {
  Check,
  CheckResult,
  Collector,
  Driver,
  Fact,
  Log,
  Mode,
  Observation,
  Path,
  Placement,
  PlannedShot,
  Provider,
  Testbed,
} from './contracts.ts'
import { type Fired, fire } from './fire.ts'
import { measure } from './measurements.ts'
import { hash } from './random.ts'
import { Scope } from './scope.ts'
import { type Sky, weatherOf } from './weather.ts'

/** What all visits of a run share. */
export interface VisitContext {
  readonly runId: string
  readonly provider: Provider
  readonly placement: Placement
  readonly driver: Driver
  readonly collectors: readonly Collector[]
  readonly checks: readonly Check[]
  readonly workDir: string
  readonly seed: number
  readonly signal: AbortSignal
  readonly log: Log
  /** Called with each finished shot; the next one waits for it. */
  readonly record: (outcome: ShotOutcome) => Promise<void>
  /** Called with each fresh testbed, before the mode is laid on it. */
  readonly opened: (bed: Testbed) => Promise<void>
  readonly laid: (path: Path, mode: Mode) => void
  /** What the shots of this block share of the weather. */
  readonly sky: () => BlockSky
  /** Waits for a host that is not squeezed; gives the spin ratio then. */
  readonly calm: (signal: AbortSignal) => Promise<number>
  /** Spin test of all CPUs: the slowest against its best in this run. */
  readonly spin: () => Promise<number>
  /** Whether the testbed of these shots is held for inspection (`--keep`), and until when. */
  readonly keep: (shots: readonly PlannedShot[]) => boolean
  readonly hold: (path: Pick<Path, 'mode'>) => Promise<void>
}

type Timed = Fact & { readonly when: 'before' | 'after' }
const at = (when: Timed['when'], facts: readonly Fact[]): Timed[] => facts.map((fact) => ({ ...fact, when }))
const reason = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause)).split('\n')[0] ?? ''

const holds = (facts: readonly Fact[]): boolean => facts.every((fact) => fact.holds)

/** The driver's component begins with its first shot: collectors must see the components as they are now. */
function livePath(path: Path, bed: Testbed): Path {
  return Object.create(path, {
    components: { get: () => bed.components },
    stacks: { get: () => bed.stacks },
  }) as Path
}

const died = (cause: unknown): CheckResult => ({
  code: 'driver-died',
  passed: false,
  severity: 'void',
  limit: 'the shot ends with a result',
  actual: reason(cause),
  remedy: 'see the logs with --keep; the next shots go on',
})

interface Shooting {
  readonly outcome: ShotOutcome
  /** Whether the path still stands, so that the next cell may be fired on it. */
  readonly stands: boolean
}

/** What the block's shots share of the weather. */
export type BlockSky = Omit<Sky, 'spinRatio'>

async function shoot(context: VisitContext, path: Path, shot: PlannedShot): Promise<Shooting> {
  const facts: Timed[] = []
  const base = {
    planned: shot,
    provider: context.provider.name,
    sandbox: path.sandbox,
    sandboxed: path.sandboxed ?? 'none',
    bypassed: path.bypassed ?? '',
    proxy: path.proxy,
    driver: context.driver.name,
    placement: context.placement,
    picture: path.picture,
    facts,
  }
  let before: Observation | null = null
  let after: Observation | null = null
  try {
    const spunBefore = await context.calm(context.signal)
    before = await path.observe()
    facts.push(...at('before', path.standing(before)))
    const fired = await fire(context.driver, context.collectors, path, shot, context.signal)
    after = await path.observe()
    const weather = { ...context.sky(), spinRatio: Math.min(spunBefore, await context.spin()) }
    const traffic = { test: shot.cell.test, protocol: shot.cell.protocol, ...fired.firing.traffic }
    const standing = path.standing(after)
    facts.push(...at('after', [...standing, ...path.travelled(before, after, traffic)]))
    return {
      outcome: { ...base, before, after, ...judge(context, path, shot, fired, facts, weather) },
      stands: holds(standing),
    }
  } catch (cause) {
    if (context.signal.aborted) throw cause
    const nothing = { measurements: [], samples: [], histograms: {}, checks: [died(cause)] }
    return { outcome: { ...base, before, after, ...nothing }, stands: false }
  }
}

function judge(
  context: VisitContext,
  { sandboxed = 'none' }: Path,
  planned: PlannedShot,
  fired: Fired,
  facts: readonly Fact[],
  sky: Sky,
) {
  const { firing, samples } = fired
  const driverInside = sandboxed === 'client' || sandboxed === 'both'
  const measurements = measure({ cell: planned.cell, firing, samples, driverInside })
  const evidence = { planned, firing, facts, samples, measurements, weather: weatherOf(samples, sky) }
  const histograms = Object.fromEntries(
    Object.entries({
      latency: firing.latencyHdr,
      service: firing.serviceHdr,
      lateness: firing.latenessHdr,
    }).filter(([, text]) => text !== null),
  ) as ShotOutcome['histograms']
  return { measurements, samples, histograms, checks: context.checks.map((check) => check.judge(evidence)) }
}

/**
 * Fires the shots on one testbed until one breaks the path; returns those that were not fired. Throws when the mode
 * cannot be laid, or on interruption.
 */
async function round(context: VisitContext, mode: Mode, shots: readonly PlannedShot[]) {
  const [first] = shots
  const scope = new Scope(`${mode.name} in block ${first?.block ?? 0}`)
  try {
    const seed = hash(context.seed, 'bed', first?.block ?? 0, mode.name)
    const workDir = join(context.workDir, `b${first?.block ?? 0}-${mode.name}`)
    const request = { runId: context.runId, placement: context.placement, workDir, seed }
    const bed = await context.provider.open(request, scope, context.log)
    await context.opened(bed)
    const path = livePath(await mode.lay(bed, scope, context.log), bed)
    context.laid(path, mode)
    for (const [index, shot] of shots.entries()) {
      if (context.signal.aborted) return shots.slice(index)
      const { outcome, stands } = await shoot(context, path, shot)
      await context.record(outcome)
      if (!stands) return shots.slice(index + 1)
    }
    if (context.keep(shots)) await context.hold(path)
    return []
  } finally {
    await scope.close()
  }
}

/** Fires every shot of a visit, on a fresh testbed again after one that broke. Returns shots that stay missing. */
export async function visit(
  context: VisitContext,
  mode: Mode,
  shots: readonly PlannedShot[],
): Promise<{ readonly missing: readonly PlannedShot[]; readonly because: string }> {
  let left = shots
  const fired = new Set<string>()
  const noting: VisitContext = {
    ...context,
    record: async (outcome) => {
      await context.record(outcome)
      fired.add(outcome.planned.id)
    },
  }
  try {
    // each round fires at least one shot, so this ends
    while (left.length > 0 && !context.signal.aborted) left = await round(noting, mode, left)
    return { missing: left, because: 'interrupted' }
  } catch (cause) {
    if (cause instanceof Error && 'exit' in cause && cause.exit === 'output') throw cause
    return { missing: left.filter((shot) => !fired.has(shot.id)), because: reason(cause) }
  }
}
