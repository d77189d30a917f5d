/** A whole run as read back from its files: what reports, statistics and gates work on. */
import type { Histogram } from 'hdr-histogram-js'
import type { Row } from './columns.ts'
import type { Manifest } from './manifest.ts'

export interface RunRecord {
  readonly manifest: Manifest
  readonly shots: readonly Row<'shots'>[]
  readonly samples: readonly Row<'samples'>[]
  readonly facts: readonly Row<'facts'>[]
  readonly checks: readonly Row<'checks'>[]
  readonly hops: readonly Row<'hops'>[]
  /** Latency histogram of a shot in ns, or null; read on demand. */
  histogram(shot: string, kind: 'latency' | 'service' | 'lateness'): Histogram | null
}
