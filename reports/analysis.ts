/** What the page needs of a record, asked once: shots by cell, values by block, comparisons with the right mode. */

import type { ByBlock } from '../harness/stats/paired.ts'
import type { MetricName, Row } from '../results/columns.ts'
import type { RunRecord } from '../results/run-record.ts'

/** What all modes were asked alike; shots are only ever compared within one. */
export interface CellView {
  readonly key: string
  readonly test: string
  readonly loop: string
  readonly protocol: string
  readonly direction: string
  readonly rate: number | null
  readonly loadPercent: number | null
  readonly connections: number
  readonly payloadBytes: number
  readonly driver: string
}

export interface ShotView {
  readonly id: string
  readonly block: number
  readonly position: number
  readonly mode: string
  readonly cell: CellView
  readonly valid: boolean
  /** Values by metric; a metric whose cell is empty is missing. */
  readonly values: ReadonlyMap<string, number>
}

export interface ModeView {
  readonly name: string
  /** Place in colours and shapes, the same in every chart. */
  readonly index: number
  readonly about: string
  readonly comparedWith: string
  readonly proxy: string
  readonly sandbox: string
  readonly sandboxed: string
  /** Why its traffic goes past the mesh, or an empty string. */
  readonly bypassed: string
}

export interface Analysis {
  readonly record: RunRecord
  readonly modes: readonly ModeView[]
  readonly shots: readonly ShotView[]
  readonly cells: readonly CellView[]
  /** The latency cell that answers and pictures use: HTTP if there is, the load that most modes have valid shots at, else the middle one. */
  readonly headline: CellView | null
}

const cellKey = (row: Row<'shots'>): string =>
  [
    row.test,
    row.loop,
    row.protocol,
    row.direction,
    row.rate ?? '-',
    row.connections,
    row.payload_bytes,
    row.driver,
  ].join('|')

function cellOf(row: Row<'shots'>): CellView {
  return {
    key: cellKey(row),
    test: row.test,
    loop: row.loop,
    protocol: row.protocol,
    direction: row.direction,
    rate: row.rate,
    loadPercent: row.load_percent,
    connections: row.connections ?? 0,
    payloadBytes: row.payload_bytes ?? 0,
    driver: row.driver,
  }
}

export function analyse(record: RunRecord): Analysis {
  const cells = new Map<string, CellView>()
  const rowsByShot = groupBy(record.shots, (row) => row.shot)
  const shots = [...rowsByShot].flatMap(([id, rows]): ShotView[] => {
    const first = rows[0]
    if (!first) return []
    const key = cellKey(first)
    // The search of block 0 asks what no later block asks: its cells belong in no chart.
    const cell = cells.get(key) ?? cellOf(first)
    if ((first.block ?? 0) > 0) cells.set(key, cell)
    const values = new Map(rows.flatMap((row) => (row.value === null ? [] : [[row.metric, row.value] as const])))
    return [
      {
        id,
        block: first.block ?? 0,
        position: first.position ?? 0,
        mode: first.mode,
        cell,
        valid: first.verdict === 'valid',
        values,
      },
    ]
  })
  const sorted = [...cells.values()].sort(
    (a, b) => (a.rate ?? 0) - (b.rate ?? 0) || a.connections - b.connections || a.payloadBytes - b.payloadBytes,
  )
  return { record, modes: modesOf(record), shots, cells: sorted, headline: headlineOf(sorted, shots) }
}

/** Groups in order of first appearance (Node 20 has no Map.groupBy). */
export function groupBy<T>(values: readonly T[], key: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const value of values) {
    const group = groups.get(key(value))
    if (group) group.push(value)
    else groups.set(key(value), [value])
  }
  return groups
}

/** Yardsticks first, then as the run's options list them: the order of laying is random and says nothing. */
function modesOf(record: RunRecord): ModeView[] {
  const asked = record.manifest.options['mode']
  const seen = new Set([...Object.keys(record.manifest.modes), ...record.shots.map((row) => row.mode)])
  const listed = Array.isArray(asked) ? asked.filter((name): name is string => seen.has(name)) : []
  const names = new Set([...listed, ...seen])
  const all = [...names].map((name) => {
    const facts = record.manifest.modes[name]
    return {
      name,
      about: facts?.about ?? '',
      comparedWith: facts?.comparedWith ?? name,
      proxy: facts?.proxy ?? 'none',
      sandbox: facts?.sandbox ?? 'none',
      sandboxed: facts?.sandboxed ?? 'none',
      bypassed: facts?.bypassed ?? '',
    }
  })
  const isYardstick = (mode: { name: string }) =>
    all.some((other) => other !== mode && other.comparedWith === mode.name)
  return [...all.filter(isYardstick), ...all.filter((mode) => !isYardstick(mode))].map((mode, index) => ({
    ...mode,
    index,
  }))
}

function headlineOf(cells: readonly CellView[], shots: readonly ShotView[]): CellView | null {
  const latency = cells.filter((cell) => cell.test === 'latency')
  const http = latency.filter((cell) => cell.protocol === 'http')
  const candidates = http.length > 0 ? http : latency
  const rates = [...new Set(candidates.map((cell) => cell.rate ?? 0))]
  const middle = (rates.length - 1) / 2
  const fromMiddle = (cell: CellView) => Math.abs(rates.indexOf(cell.rate ?? 0) - Math.floor(middle))
  const answered = new Map(candidates.map((cell) => [cell.key, modesWithValid(cell, shots)]))
  const inOrder = [...candidates].sort(
    (a, b) => (answered.get(b.key) ?? 0) - (answered.get(a.key) ?? 0) || fromMiddle(a) - fromMiddle(b),
  )
  return inOrder[0] ?? null
}

const modesWithValid = (cell: CellView, shots: readonly ShotView[]): number =>
  new Set(shots.filter((shot) => shot.valid && shot.block > 0 && shot.cell.key === cell.key).map((shot) => shot.mode))
    .size

/** The valid values of a metric by block; block 0 never enters. */
export function byBlock(analysis: Analysis, mode: string, cell: CellView, metric: MetricName): ByBlock {
  const values = new Map<number, number>()
  for (const shot of shotsOf(analysis, mode, cell)) {
    const value = shot.values.get(metric)
    if (shot.valid && value !== undefined) values.set(shot.block, value)
  }
  return values
}

export const shotsOf = (analysis: Analysis, mode: string, cell: CellView): readonly ShotView[] =>
  analysis.shots.filter((shot) => shot.mode === mode && shot.cell.key === cell.key && shot.block > 0)

/** Cells of a test in one loop: charts never mix loops. */
export const cellsOf = (analysis: Analysis, test: string): readonly CellView[] =>
  analysis.cells.filter((cell) => cell.test === test)

export const blocksOf = (analysis: Analysis): readonly number[] =>
  [...new Set(analysis.shots.map((shot) => shot.block).filter((block) => block > 0))].sort((a, b) => a - b)
