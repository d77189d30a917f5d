/** All rows of one shot, from what the visit brought back. Pure. */
import type {
  CheckResult,
  Fact,
  Measurement,
  Observation,
  PathPicture,
  PlannedShot,
  Sample,
} from '../harness/contracts.ts'
import type { TableName } from './columns.ts'
import type { AnyRow } from './table-text.ts'

export interface ShotOutcome {
  readonly planned: PlannedShot
  readonly provider: string
  readonly sandbox: string
  readonly sandboxed: string
  /** Why the traffic went past the mesh, or an empty string. */
  readonly bypassed: string
  readonly proxy: string
  readonly driver: string
  readonly placement: string
  readonly measurements: readonly Measurement[]
  readonly samples: readonly Sample[]
  readonly facts: readonly (Fact & { readonly when: 'before' | 'after' })[]
  readonly checks: readonly CheckResult[]
  readonly before: Observation | null
  readonly after: Observation | null
  readonly picture: PathPicture
  readonly histograms: Readonly<Partial<Record<'latency' | 'service' | 'lateness', string>>>
}

/** Valid when every rule whose failure voids has passed. */
export const verdictOf = (checks: readonly CheckResult[]): 'valid' | 'void' =>
  checks.every((check) => check.passed || check.severity === 'note') ? 'valid' : 'void'

function hopRows(outcome: ShotOutcome): AnyRow[] {
  const { before, after, picture } = outcome
  if (!before || !after) return []
  return picture.hops.flatMap((hop) =>
    hop.counters.map(({ key, label, unit }) => ({
      hop: hop.id,
      counter: key,
      label,
      unit,
      value: (after.counters[key] ?? 0) - (before.counters[key] ?? 0),
    })),
  )
}

/** Rows for every table; those of `shots` end with `record_rows`. */
export function shotRows(run: string, outcome: ShotOutcome): Record<TableName, AnyRow[]> {
  const { planned } = outcome
  const { cell } = planned
  const keys = { run, block: planned.block, position: planned.position, mode: planned.mode, shot: planned.id }
  const keyed = (rows: readonly AnyRow[]): AnyRow[] => rows.map((row) => ({ ...keys, ...row }))
  const others = {
    samples: keyed(outcome.samples.map((sample) => ({ ...sample }))),
    facts: keyed(outcome.facts.map((fact) => ({ ...fact }))),
    checks: keyed(outcome.checks.map((check) => ({ ...check }))),
    hops: keyed(hopRows(outcome)),
  }
  const recordRows = Object.values(others).reduce((sum, rows) => sum + rows.length, 0)
  const shared: AnyRow = {
    ...keys,
    provider: outcome.provider,
    sandbox: outcome.sandbox,
    proxy: outcome.proxy,
    driver: outcome.driver,
    placement: outcome.placement,
    sandboxed: outcome.sandboxed,
    bypassed: outcome.bypassed,
    test: cell.test,
    loop: cell.loop,
    protocol: cell.protocol,
    rate: cell.ratePerSecond,
    load_percent: cell.loadPercent,
    connections: cell.connections,
    payload_bytes: cell.payloadBytes,
    direction: cell.direction,
    verdict: verdictOf(outcome.checks),
  }
  const measured = [...outcome.measurements, { metric: 'record_rows', unit: 'rows', value: recordRows }]
  return { ...others, shots: measured.map((measurement) => ({ ...shared, ...measurement })) }
}
