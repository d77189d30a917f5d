/** A whole run on fakes, into a folder. */
import { schemaVersion } from '../../results/columns.ts'
import type { Manifest } from '../../results/manifest.ts'
import { RunWriter } from '../../results/write.ts'
import { checks } from '../checks/index.ts'
import type { Mode } from '../contracts.ts'
import { nothingDone } from '../ledger.ts'
import type { Progress } from '../progress.ts'
import { type RunRequest, type RunResult, run, type World } from '../run.ts'
import { fakeMode, fakeProvider } from './fake-bed.ts'
import { type FakeDriverOptions, fakeDriver } from './fake-driver.ts'

const silent: Progress = { step() {}, detail() {}, plan() {}, shot() {}, warn() {}, summary() {} }

export const fakeRequest: RunRequest = {
  modes: ['plain', 'mesh'],
  profile: 'quick',
  tests: ['latency', 'crr', 'stream'],
  blocks: 2,
  seed: 7,
  placement: 'cross-node',
  keep: false,
}

export const fakeManifest: Manifest = {
  schemaVersion,
  run: 'fake-run',
  version: '0',
  commit: 'unknown',
  startedAt: '2026-01-01T00:00:00.000Z',
  finishedAt: null,
  options: {},
  command: '',
  seed: 7,
  host: { kernel: '', cpuModel: '', cpus: 2, memoryBytes: 0, virtualised: '', cgroup: '', node: '', os: '' },
  pinning: { driver: '0', datapath: '1' },
  driverFloorNs: null,
  rates: null,
  plan: [],
  modes: {},
  warnings: [],
  outcome: 'running',
}

export interface FakeRun {
  readonly modes?: readonly Mode[]
  readonly driver?: FakeDriverOptions
  readonly signal?: AbortSignal
  readonly manifest?: Manifest
  readonly complete?: ReadonlySet<string>
  readonly request?: Partial<RunRequest>
}

/** Runs on fakes; also returns which testbeds were left open. */
export async function fakeRun(folder: string, options: FakeRun = {}): Promise<RunResult & { left: number }> {
  const provider = fakeProvider()
  const writer = await RunWriter.open(folder, 'fake-run')
  const world: World = {
    provider,
    modes: options.modes ?? [fakeMode('plain'), fakeMode('mesh')],
    driver: fakeDriver(options.driver),
    collectors: [],
    checks,
    writer,
    progress: silent,
    signal: options.signal ?? new AbortController().signal,
    workDir: folder,
    pressure: () => 0,
    spin: async () => 1,
    calm: async () => 1,
    hold: async () => {},
    floor: async () => 20_000,
  }
  const done = { ...nothingDone, complete: options.complete ?? new Set<string>() }
  try {
    const result = await run(world, { ...fakeRequest, ...options.request }, options.manifest ?? fakeManifest, done)
    return { ...result, left: provider.open_.size }
  } finally {
    await writer.close()
  }
}
