/** results/<run-id>/manifest.json: everything needed to redo a run and to draw its report from files alone. */
import type { PathPicture, PlannedShot } from '../harness/contracts.ts'
import type { Warning } from '../harness/warnings.ts'

export interface HostFacts {
  readonly kernel: string
  readonly cpuModel: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly virtualised: string
  readonly cgroup: string
  readonly node: string
  readonly os: string
}

export interface ModeFacts {
  readonly about: string
  readonly comparedWith: string
  readonly proxy: string
  readonly sandbox: string
  readonly sandboxed: string
  readonly bypassed: string
  readonly versions: Readonly<Record<string, string>>
  readonly picture: PathPicture
}

export interface Manifest {
  readonly schemaVersion: number
  readonly run: string
  /** `datapath-bench` version and commit, `-dirty` when the tree differs. */
  readonly version: string
  readonly commit: string
  /** ISO 8601, UTC. */
  readonly startedAt: string
  readonly finishedAt: string | null
  /** Options after defaults, as given to `npm run bench`. */
  readonly options: Readonly<Record<string, unknown>>
  readonly command: string
  readonly seed: number
  readonly host: HostFacts
  readonly pinning: { readonly driver: string; readonly datapath: string }
  /** Driver against an echo in its own namespace, p50 in ns. */
  readonly driverFloorNs: number | null
  /** Rates of the open-loop cells, and the weakest mode they were derived from. */
  readonly rates: {
    readonly weakest: string
    readonly capacityPerSecond: number
    readonly ratesPerSecond: readonly number[]
  } | null
  /** Every shot of the run once rates are known; before that only the search. */
  readonly plan: readonly PlannedShot[]
  /** Filled when a mode is first laid. */
  readonly modes: Readonly<Record<string, ModeFacts>>
  readonly warnings: readonly Warning[]
  readonly outcome: 'running' | 'done' | 'interrupted' | 'undecided' | 'failed'
}
