/** Merged histograms as curves: a picture of the tail only, never the base of an interval. */
import type { Histogram } from 'hdr-histogram-js'
import { type Analysis, type CellView, cellsOf, type ModeView, shotsOf } from './analysis.ts'

export interface Curve {
  readonly mode: ModeView
  readonly cell: CellView
  readonly shots: number
  readonly requests: number
  readonly points: readonly { readonly percentile: number; readonly latencyNs: number }[]
}

/** A percentile is drawn only with this many samples beyond it (methodology rule 8). */
const fewestBeyond = 100
/** Where curves are read: evenly spaced on the tail axis. */
const readings = Array.from({ length: 61 }, (_, index) => 100 * (1 - 10 ** (-index / 20)))

export async function percentileCurves(analysis: Analysis): Promise<Curve[]> {
  const { build } = await import('hdr-histogram-js')
  return cellsOf(analysis, 'latency').flatMap((cell) =>
    analysis.modes.flatMap((mode) => {
      const histograms = shotsOf(analysis, mode.name, cell).flatMap((shot) => {
        const histogram = shot.valid ? analysis.record.histogram(shot.id, 'latency') : null
        return histogram ? [histogram] : []
      })
      if (histograms.length === 0) return []
      const merged = build({ numberOfSignificantValueDigits: 3, autoResize: true })
      for (const histogram of histograms) merged.add(histogram as typeof merged)
      return [{ mode, cell, shots: histograms.length, requests: merged.totalCount, points: readCurve(merged) }]
    }),
  )
}

const readCurve = (merged: Histogram): Curve['points'] =>
  readings
    .filter((percentile) => merged.totalCount * (1 - percentile / 100) >= fewestBeyond)
    .map((percentile) => ({ percentile, latencyNs: merged.getValueAtPercentile(percentile) }))
