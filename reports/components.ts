/** What each component took, from samples.csv: a mean over blocks of one value per valid shot. */
import { mean } from '../harness/stats/summary.ts'
import type { Row } from '../results/columns.ts'
import { type Analysis, type CellView, groupBy, type ModeView, shotsOf } from './analysis.ts'

export interface Part {
  readonly mode: ModeView
  readonly cell: CellView
  readonly component: string
  readonly value: number
}

/** Rows by shot, made once per analysis: charts of every cell ask for them. */
const indexes = new WeakMap<Analysis['record'], Map<string, Row<'samples'>[]>>()

export function samplesByShot(run: Analysis): Map<string, Row<'samples'>[]> {
  const known = indexes.get(run.record)
  if (known) return known
  const made = groupBy(run.record.samples, (sample) => sample.shot)
  indexes.set(run.record, made)
  return made
}

/** The driver's own CPU is not part of a datapath's cost; of the host only the kernel's remainder is. */
const countsAsCpu = (sample: Row<'samples'>): boolean =>
  sample.metric === 'cpu_seconds' &&
  (['server', 'proxy', 'sandbox'].includes(sample.role) || sample.component === 'kernel')

const countsAsMemory = (sample: Row<'samples'>): boolean =>
  sample.metric === 'memory_bytes' && ['proxy', 'sandbox'].includes(sample.role)

/** CPU seconds per answered request, by component. */
export const cpuParts = (run: Analysis, cell: CellView): Part[] =>
  partsOf(run, cell, countsAsCpu, (value, requests) => (requests > 0 ? value / requests : null))

/** Resident bytes at the end of the window, by component. */
export const memoryParts = (run: Analysis, cell: CellView): Part[] =>
  partsOf(run, cell, countsAsMemory, (value) => value)

function partsOf(
  run: Analysis,
  cell: CellView,
  counts: (sample: Row<'samples'>) => boolean,
  scaled: (value: number, requests: number) => number | null,
): Part[] {
  const samples = samplesByShot(run)
  return run.modes.flatMap((mode) => {
    const seen = new Map<string, number[]>()
    for (const shot of shotsOf(run, mode.name, cell)) {
      if (!shot.valid) continue
      for (const sample of samples.get(shot.id) ?? []) {
        if (sample.value === null || !counts(sample)) continue
        const value = scaled(sample.value, shot.values.get('requests') ?? 0)
        if (value !== null) seen.set(sample.component, [...(seen.get(sample.component) ?? []), value])
      }
    }
    return [...seen].map(([component, values]) => ({ mode, cell, component, value: mean(values) }))
  })
}
