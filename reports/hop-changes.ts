/** What the counters of a path picture did during a shot: medians over the valid shots of one cell. */
import type { PathPicture } from '../harness/contracts.ts'
import { median } from '../harness/stats/quantile.ts'
import { type Analysis, type CellView, type ModeView, shotsOf } from './analysis.ts'

/** Change over a shot by hop and counter; a counter that was not recorded is missing. */
export type HopChanges = ReadonlyMap<string, number>

export const changeKey = (hop: string, counter: string): string => JSON.stringify([hop, counter])

export interface MeasuredPath {
  readonly mode: ModeView
  readonly picture: PathPicture
  readonly cell: CellView | null
  readonly shots: number
  readonly changes: HopChanges
}

export function measuredPaths(run: Analysis): MeasuredPath[] {
  return run.modes.flatMap((mode) => {
    const picture = run.record.manifest.modes[mode.name]?.picture
    if (!picture || picture.hops.length === 0) return []
    const cell = run.headline ?? run.cells[0] ?? null
    const shots = new Set(
      cell
        ? shotsOf(run, mode.name, cell)
            .filter((shot) => shot.valid)
            .map((shot) => shot.id)
        : [],
    )
    return [{ mode, picture, cell, shots: shots.size, changes: changesOf(run, shots) }]
  })
}

function changesOf(run: Analysis, shots: ReadonlySet<string>): HopChanges {
  const seen = new Map<string, number[]>()
  for (const row of run.record.hops) {
    if (row.value === null || !shots.has(row.shot)) continue
    const key = changeKey(row.hop, row.counter)
    seen.set(key, [...(seen.get(key) ?? []), row.value])
  }
  return new Map([...seen].map(([key, values]) => [key, median(values)]))
}
