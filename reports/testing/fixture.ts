/**
 * A whole run that never happened: four modes, five blocks and the search, with the size and spread of figures that a
 * two-core machine gives. The same seed gives the same record; options turn its weak spots on.
 */
import { schemaVersion } from '../../results/columns.ts'
import type { Manifest } from '../../results/manifest.ts'
import type { RunRecord } from '../../results/run-record.ts'
import { costs, type FixtureMode, planCells } from './fixture-costs.ts'
import { latencyHistogram } from './fixture-histogram.ts'
import { pictures } from './fixture-pictures.ts'
import { fillShot, type Tables } from './fixture-rows.ts'
import { seeded } from './random.ts'

export interface FixtureOptions {
  readonly blocks?: number
  readonly seed?: number
  readonly voids?: boolean
  /** Renames a mode: pages must survive any name. */
  readonly rename?: (mode: string) => string
}

export const fixtureRun = '2026-03-14T09-26-53-k7q2'

const aboutModes: Readonly<Record<FixtureMode, string>> = {
  baseline: 'no mesh: client to server over the nodes’ network, in plaintext',
  sidecar: 'Istio sidecar: an Envoy in each pod, istio-init’s REDIRECT rules, mTLS from sidecar to sidecar, HTTP aware',
  ambient: 'Istio ambient, in-Pod redirection: a node proxy per node, HBONE between nodes, L4 only',
  waypoint: 'ambient with an L7 waypoint Envoy on the way',
}

export function fixture(options: FixtureOptions = {}): RunRecord {
  const { blocks = 5, seed = 20260314, voids = true, rename = (mode: string) => mode } = options
  const random = seeded(seed)
  const tables: Tables = { shots: [], samples: [], facts: [], checks: [], hops: [] }
  const latencies = new Map<string, { medianNs: number; seed: number }>()
  for (let block = 0; block <= blocks; block++) {
    const weather = Math.exp(0.03 * random.normal())
    const order = (Object.keys(costs) as FixtureMode[])
      .map((mode) => ({ mode, key: random.uniform() }))
      .sort((a, b) => a.key - b.key)
    for (const [position, { mode }] of order.entries())
      for (const cell of planCells(block)) {
        const lost =
          voids &&
          ((block === 2 && mode === 'waypoint' && cell.test === 'latency' && cell.rate === 4950) ||
            (block === 4 && mode === 'sidecar' && cell.test === 'crr'))
        const made = fillShot(
          tables,
          { run: fixtureRun, block, position, mode, name: rename(mode), cell, weather, lost },
          random,
        )
        if (cell.test === 'latency') latencies.set(made.shot, { medianNs: made.p50Ns, seed: block * 1000 + position })
      }
  }
  return {
    manifest: manifest(blocks, seed, rename),
    ...tables,
    histogram: (shot, kind) => {
      const known = latencies.get(shot)
      return known && kind === 'latency' ? latencyHistogram(known.medianNs, known.seed) : null
    },
  }
}

function manifest(blocks: number, seed: number, rename: (mode: string) => string): Manifest {
  const modes = Object.fromEntries(
    (Object.keys(costs) as FixtureMode[]).map((mode) => [
      rename(mode),
      {
        about: aboutModes[mode],
        comparedWith: rename('baseline'),
        proxy: mode === 'baseline' ? 'none' : 'envoy',
        sandbox: 'none',
        sandboxed: 'none',
        bypassed: '',
        versions: mode === 'baseline' ? {} : { envoy: '1.40.0 (release)', iptables: 'v1.8.9 (nf_tables)' },
        picture: pictures[mode] ?? { lanes: [], hops: [], links: [] },
      },
    ]),
  )
  return {
    schemaVersion,
    run: fixtureRun,
    version: '0.1.0',
    commit: '4f1c2d9a7b3e',
    startedAt: '2026-03-14T09:26:53.000Z',
    finishedAt: '2026-03-14T09:30:41.000Z',
    options: { profile: 'quick', provider: 'local', driver: 'native', blocks, mode: Object.keys(modes) },
    command: `npm run bench -- --blocks ${blocks} --seed ${seed}`,
    seed,
    host: {
      kernel: '6.18.5',
      cpuModel: 'Intel(R) Xeon(R) Processor @ 2.80GHz',
      cpus: 2,
      memoryBytes: 8 * 2 ** 30,
      virtualised: 'kvm',
      cgroup: 'v1',
      node: 'v20.20.2',
      os: 'Debian GNU/Linux 12 (bookworm)',
    },
    pinning: { driver: 'cpu 0', datapath: 'cpu 1' },
    driverFloorNs: 14_200,
    rates: { weakest: rename('sidecar'), capacityPerSecond: 9900, ratesPerSecond: [2475, 4950, 7425] },
    plan: [],
    modes,
    warnings: [{ code: 'few-cores', cores: 2 }],
    outcome: 'done',
  }
}
