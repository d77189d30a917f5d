/** The page of a run from its record alone: one HTML file, nothing fetched from anywhere. */
import type { RunRecord } from '../results/run-record.ts'
import { analyse } from './analysis.ts'
import type { ChartInput, ReportChart } from './chart.ts'
import { page } from './page.ts'
import { percentileCurves } from './percentile-curves.ts'
import { chartSection } from './sections/charts.ts'
import { againSection, environmentSection } from './sections/environment.ts'
import { factSection } from './sections/facts.ts'
import { opening } from './sections/opening.ts'
import { pathSection } from './sections/paths.ts'

import { readingSection } from './sections/reading.ts'
import { voidSection } from './sections/voids.ts'

export interface ReportOptions {
  /** Charts to draw; default: all of the registry. */
  readonly charts?: readonly ReportChart[]
}

export async function buildReport(record: RunRecord, options: ReportOptions = {}): Promise<string> {
  const analysis = analyse(record)
  const input: ChartInput = { ...analysis, curves: await percentileCurves(analysis) }
  const charts = options.charts ?? (await import('./charts/index.ts')).charts
  return page(analysis, [
    opening(analysis),
    await chartSection(charts, input),
    pathSection(analysis),
    factSection(analysis),
    voidSection(analysis),
    environmentSection(analysis),
    againSection(analysis),
    readingSection(analysis),
  ])
}
