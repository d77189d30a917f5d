/** Which shots of a record are complete. Pure. */
import type { Row } from './columns.ts'

export interface Tables {
  readonly shots: readonly Row<'shots'>[]
  readonly samples: readonly Row<'samples'>[]
  readonly facts: readonly Row<'facts'>[]
  readonly checks: readonly Row<'checks'>[]
  readonly hops: readonly Row<'hops'>[]
}

/** A shot is complete when its last row is there and the other files hold as many rows of it as that row says. */
export function completeShots(tables: Tables, histogramsIntact: (shot: string) => boolean): Set<string> {
  const found = new Map<string, number>()
  for (const rows of [tables.samples, tables.facts, tables.checks, tables.hops])
    for (const { shot } of rows) found.set(shot, (found.get(shot) ?? 0) + 1)
  const complete = new Set<string>()
  for (const { shot, metric, value } of tables.shots)
    if (metric === 'record_rows' && value === (found.get(shot) ?? 0) && histogramsIntact(shot)) complete.add(shot)
  return complete
}

/** Only the rows of these shots. */
export function onlyShots(tables: Tables, shots: ReadonlySet<string>): Tables {
  const kept = <R extends { readonly shot: string }>(rows: readonly R[]): R[] =>
    rows.filter((row) => shots.has(row.shot))
  return {
    shots: kept(tables.shots),
    samples: kept(tables.samples),
    facts: kept(tables.facts),
    checks: kept(tables.checks),
    hops: kept(tables.hops),
  }
}
