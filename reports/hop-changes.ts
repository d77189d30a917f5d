/**
 * What the counters of a path picture did during one shot: of a single shot, so that they agree with each other and
 * with its facts.
 */
import type { PathPicture } from '../harness/contracts.ts'
import { type Analysis, type CellView, type ModeView, type ShotView, shotsOf } from './analysis.ts'

/** Change over a shot by hop and counter; a counter that was not recorded is missing. */
export type HopChanges = ReadonlyMap<string, number>

export const changeKey = (hop: string, counter: string): string => JSON.stringify([hop, counter])

export interface MeasuredPath {
  readonly mode: ModeView
  readonly picture: PathPicture
  readonly cell: CellView | null
  /** The shot that the counters are of; null without one that went this way. */
  readonly shot: ShotView | null
  readonly changes: HopChanges
}

export function measuredPaths(run: Analysis): MeasuredPath[] {
  return run.modes.flatMap((mode) => {
    const picture = run.record.manifest.modes[mode.name]?.picture
    if (!picture || picture.hops.length === 0) return []
    const cell = run.headline ?? run.cells[0] ?? null
    const shot = cell ? tellingShot(run, shotsOf(run, mode.name, cell)) : null
    return [{ mode, picture, cell, shot, changes: shot ? changesOf(run, shot) : new Map() }]
  })
}

/**
 * The shot that opened the most connections, on the client's side and behind the proxies: these keep connections from
 * one shot to the next, and the rules count new ones only. Valid shots first; a shot that is void for the host's
 * weather still shows the way, one whose facts failed does not.
 */
function tellingShot(run: Analysis, shots: readonly ShotView[]): ShotView | null {
  const opened = new Map<string, number>()
  for (const row of run.record.hops)
    if (row.unit === 'connections' && row.value !== null) opened.set(row.shot, (opened.get(row.shot) ?? 0) + row.value)
  const astray = new Set(run.record.facts.filter((fact) => !fact.holds).map((fact) => fact.shot))
  const inOrder = shots
    .filter((shot) => opened.has(shot.id) && !astray.has(shot.id))
    .sort(
      (a, b) =>
        Number(b.valid) - Number(a.valid) || (opened.get(b.id) ?? 0) - (opened.get(a.id) ?? 0) || a.block - b.block,
    )
  return inOrder[0] ?? null
}

function changesOf(run: Analysis, shot: ShotView): HopChanges {
  const rows = run.record.hops.filter((row) => row.shot === shot.id)
  return new Map(rows.flatMap((row) => (row.value === null ? [] : [[changeKey(row.hop, row.counter), row.value]])))
}
