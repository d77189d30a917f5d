/** `--dry-run`: the cells and the time they will take. */
import type { ExitName } from './errors.ts'
import {
  blocksOf,
  cellName,
  cellsOf,
  estimateSeconds,
  needsSearch,
  type PlanRequest,
  planBlocks,
  planSearch,
  supposedRates,
} from './plan.ts'
import { overheads } from './profiles.ts'

/** Prints the plan; rates that a search will find are shown as a share of the weakest mode's capacity. */
export function dryRun(request: PlanRequest, json: boolean): ExitName {
  const search = needsSearch(request) ? planSearch(request) : []
  const rates = supposedRates(request)
  const cells = cellsOf(request, rates)
  const shots = [...search, ...planBlocks(request, cells)]
  const seconds = Math.round(estimateSeconds(shots) + overheads.runSeconds)
  const rows = cells.map((cell) => ({
    ...cell,
    ratePerSecond: cell.loadPercent === null ? cell.ratePerSecond : null,
    shots: request.modes.length * blocksOf(request),
  }))
  if (json) {
    process.stdout.write(
      `${JSON.stringify({ cells: rows, modes: request.modes, blocks: blocksOf(request), shots: shots.length, seconds })}\n`,
    )
    return 'ok'
  }
  for (const cell of cells) {
    const load = cell.loadPercent === null ? '' : ` (${cell.loadPercent} % of the weakest mode)`
    const name = cell.loadPercent === null ? cellName(cell) : cellName({ ...cell, ratePerSecond: null })
    process.stdout.write(`${`${name}${load}`.padEnd(56)} ${cell.warmupSeconds} s + ${cell.durationSeconds} s\n`)
  }
  process.stdout.write(
    `${request.modes.join(', ')}; ${blocksOf(request)} blocks${search.length > 0 ? ' and a capacity search' : ''}; ` +
      `${shots.length} shots, about ${Math.floor(seconds / 60)} min ${seconds % 60} s\n`,
  )
  return 'ok'
}
