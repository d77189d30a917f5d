/** What a run knows while it goes: its manifest as on disk, shots done, capacities found, warnings. */
import type { Manifest } from '../results/manifest.ts'
import { type ShotOutcome, verdictOf } from '../results/shot-rows.ts'
import type { RunWriter } from '../results/write.ts'
import type { Capacities } from './capacities.ts'
import type { Mode, Path } from './contracts.ts'
import { cellName } from './plan.ts'
import type { Progress } from './progress.ts'
import type { Warning } from './warnings.ts'

export interface Counts {
  readonly valid: number
  readonly void: number
  readonly missing: number
}

/** What a resumed run already has. */
export interface Done {
  readonly complete: ReadonlySet<string>
  readonly capacities: Capacities
  readonly counts: Counts
}

export const nothingDone: Done = {
  complete: new Set(),
  capacities: new Map(),
  counts: { valid: 0, void: 0, missing: 0 },
}

/** A search shot tells a capacity if its path was proven and requests were answered; a noisy host only blurs it. */
const spoilsCapacity = new Set(['not-attested', 'errors', 'driver-died'])

/** The figure that says most about a shot. */
export function headline({ measurements }: Pick<ShotOutcome, 'measurements'>): string {
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

export class Ledger {
  manifest: Manifest
  readonly complete: Set<string>
  readonly capacities: Capacities
  counts: Counts
  readonly #warnings: Warning[]
  readonly #writer: RunWriter
  readonly #progress: Progress
  #savedModes = 0

  constructor(begun: Manifest, done: Done, writer: RunWriter, progress: Progress) {
    this.manifest = { ...begun, outcome: 'running', finishedAt: null }
    this.complete = new Set(done.complete)
    this.capacities = new Map(done.capacities)
    this.counts = { ...done.counts, missing: 0 }
    this.#warnings = [...begun.warnings]
    this.#writer = writer
    this.#progress = progress
  }

  async save(changes: Partial<Manifest>): Promise<void> {
    this.manifest = { ...this.manifest, ...changes, warnings: this.#warnings }
    this.#savedModes = Object.keys(this.manifest.modes).length
    await this.#writer.manifest(this.manifest)
  }

  warn(warning: Warning): void {
    this.#warnings.push(warning)
    this.#progress.warn(warning)
  }

  /** Keeps what a mode says of itself when it is first laid. */
  laid(path: Path, mode: Mode): void {
    if (this.manifest.modes[mode.name]) return
    const { proxy, sandbox, sandboxed = 'none', bypassed = '', versions, picture } = path
    const { about, comparedWith } = mode
    const facts = { about, comparedWith, proxy, sandbox, sandboxed, bypassed, versions, picture }
    this.manifest = { ...this.manifest, modes: { ...this.manifest.modes, [mode.name]: facts } }
  }

  /** Writes a finished shot, then counts and tells it. */
  async record(outcome: ShotOutcome): Promise<void> {
    await this.#writer.shot(outcome)
    const { planned, checks, measurements } = outcome
    const verdict = verdictOf(checks)
    const failed = checks.filter((check) => !check.passed && check.severity === 'void')
    this.complete.add(planned.id)
    this.counts = { ...this.counts, [verdict]: this.counts[verdict] + 1 }
    const perSecond = measurements.find((measurement) => measurement.metric === 'throughput')?.value
    if (planned.block === 0 && perSecond && !failed.some((check) => spoilsCapacity.has(check.code)))
      this.capacities.set(planned.id, {
        mode: planned.mode,
        form: cellName(planned.cell),
        perSecond,
        sound: verdict === 'valid',
      })
    const why = failed.map((check) => `${check.code}: ${check.actual}`).join('; ')
    this.#progress.shot(planned, verdict, verdict === 'void' ? why : headline(outcome))
    if (Object.keys(this.manifest.modes).length > this.#savedModes) await this.save({})
  }

  /** Tells shots that could not be fired. */
  miss(shots: readonly ShotOutcome['planned'][], because: string): void {
    this.counts = { ...this.counts, missing: this.counts.missing + shots.length }
    for (const shot of shots) this.#progress.shot(shot, 'missing', because)
  }
}
