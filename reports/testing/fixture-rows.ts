/** Rows of one made-up shot in every table of the record. */
import { type MetricName, metrics, type Row } from '../../results/columns.ts'
import { type Costs, costs, type FixtureCell, type FixtureMode } from './fixture-costs.ts'
import { fillFacts } from './fixture-facts.ts'
import { pictures } from './fixture-pictures.ts'
import type { Random } from './random.ts'

export interface Tables {
  readonly shots: Row<'shots'>[]
  readonly samples: Row<'samples'>[]
  readonly facts: Row<'facts'>[]
  readonly checks: Row<'checks'>[]
  readonly hops: Row<'hops'>[]
}

export interface ShotSeed {
  readonly run: string
  readonly block: number
  readonly position: number
  readonly mode: FixtureMode
  readonly name: string
  readonly cell: FixtureCell
  /** Factor that every mode of a block shares. */
  readonly weather: number
  readonly lost: boolean
}

const windowSeconds = 3

export function fillShot(tables: Tables, seed: ShotSeed, random: Random): { shot: string; p50Ns: number } {
  const { run, block, position, name, cell, lost } = seed
  const cost = costs[seed.mode]
  const parts = [cell.test, cell.protocol, cell.rate ? `r${cell.rate}` : cell.direction, `c${cell.connections}`, 'p64']
  const shot = `b${String(block).padStart(2, '0')}-${seed.mode}-${parts.join('-')}`
  const keys = { run, block, position, mode: name, shot }
  const noise = (spread: number) => seed.weather * Math.exp(spread * random.normal())
  const values = measured(cost, cell, noise)
  for (const [metric, value] of Object.entries(values))
    tables.shots.push({
      ...keys,
      provider: 'local',
      sandbox: 'none',
      proxy: seed.mode === 'baseline' ? 'none' : 'envoy',
      driver: 'native',
      test: cell.test,
      loop: cell.loop,
      protocol: cell.protocol,
      rate: cell.rate,
      connections: cell.connections,
      payload_bytes: 64,
      metric,
      unit: metrics[metric as MetricName].unit,
      value,
      verdict: lost ? 'void' : 'valid',
      direction: cell.direction,
      load_percent: cell.loadPercent,
      placement: 'cross-node',
      sandboxed: 'none',
      bypassed: '',
    })
  const requests = values['requests'] ?? 0
  fillSamples(tables, keys, cost, requests, noise)
  fillFacts(tables.facts, keys, seed.mode, lost && cell.test === 'crr')
  fillChecks(tables, keys, lost, cell)
  fillHops(tables, keys, seed.mode, cell, requests, noise)
  return { shot, p50Ns: values['latency_p50'] ?? 0 }
}

function measured(cost: Costs, cell: FixtureCell, noise: (spread: number) => number): Record<string, number | null> {
  const cpu = Object.values(cost.cpu).reduce((sum, part) => sum + part, 0)
  const common = { cpu_per_request: cpu * noise(0.02), error_rate: 0, record_rows: 20 }
  const memory = Object.values(cost.memoryMiB).reduce((sum, part) => sum + part, 0) * 2 ** 20
  if (cell.test === 'latency') {
    const load = (cell.rate ?? 0) / cost.capacityPerSecond
    const p50 = cost.p50Ns * (1 + 0.8 * load) * noise(0.015)
    const samples = (cell.rate ?? 0) * windowSeconds
    return {
      latency_p50: p50,
      latency_p90: p50 * 1.38 * noise(0.02),
      latency_p99: samples >= 10_000 ? p50 * (2.2 + load) * noise(0.1) : null,
      latency_p999: null,
      service_p50: p50 * 0.98,
      throughput: cell.rate,
      memory,
      requests: samples,
      tcp_segments: 8,
      ...common,
    }
  }
  if (cell.test === 'stream') {
    const bits = cell.direction === 'up' ? cost.upBits : cost.downBits
    return {
      [`stream_${cell.direction}`]: bits * noise(0.03),
      cpu_per_byte: (cpu / 4096) * noise(0.03),
      memory,
      requests: 0,
    }
  }
  if (cell.test === 'crr') {
    const rate = cost.connectionsPerSecond * noise(0.04)
    return { connections_per_second: rate, requests: Math.round(rate * windowSeconds), memory, ...common }
  }
  const rate = (cell.test === 'rr' ? 1e9 / cost.p50Ns : cost.capacityPerSecond) * noise(0.03)
  return {
    throughput: rate,
    latency_p50: cost.p50Ns * noise(0.02),
    requests: Math.round(rate * windowSeconds),
    memory,
    ...common,
  }
}

export type Keys = Pick<Row<'facts'>, 'run' | 'block' | 'position' | 'mode' | 'shot'>

function fillSamples(
  tables: Tables,
  keys: Keys,
  cost: Costs,
  requests: number,
  noise: (spread: number) => number,
): void {
  const sample = (component: string, role: string, metric: string, unit: string, value: number, source: string) =>
    tables.samples.push({ ...keys, component, role, metric, unit, value, source })
  const role = (component: string) => (component === 'kernel' ? 'host' : component === 'server' ? 'server' : 'proxy')
  sample('driver', 'client', 'cpu_seconds', 's', 31e-6 * requests, 'cgroup-v1')
  for (const [component, perRequest] of Object.entries(cost.cpu))
    sample(
      component,
      role(component),
      'cpu_seconds',
      's',
      perRequest * requests * noise(0.02),
      component === 'kernel' ? 'proc-stat' : 'cgroup-v1',
    )
  for (const [component, mebibytes] of Object.entries(cost.memoryMiB))
    sample(component, 'proxy', 'memory_bytes', 'bytes', mebibytes * 2 ** 20 * noise(0.002), 'proc')
  sample('host', 'host', 'total_seconds', 's', 2 * windowSeconds, 'proc-stat')
  sample('host', 'host', 'steal_seconds', 's', 0.004 * windowSeconds, 'proc-stat')
  sample('host', 'host', 'foreign_seconds', 's', 0.022 * windowSeconds * noise(0.2), 'proc-stat')
}

function fillChecks(tables: Tables, keys: Keys, lost: boolean, cell: FixtureCell): void {
  const check = (code: string, passed: boolean, severity: string, limit: string, actual: string, remedy: string) =>
    tables.checks.push({ ...keys, code, passed, severity, limit, actual, remedy })
  const attested = !(lost && cell.test === 'crr')
  check(
    'not-attested',
    attested,
    'void',
    'every fact holds',
    attested ? 'all held' : '1 of 10 facts did not hold',
    'see facts.csv for the claim and its numbers',
  )
  check(
    'host-steal',
    !(lost && cell.test === 'latency'),
    'void',
    'steal ≤ 1 %',
    lost ? '3.4 %' : '0.2 %',
    'wait for a calmer host, or use one that is not shared',
  )
  const few = cell.test === 'latency' && (cell.rate ?? 0) * windowSeconds < 10_000
  check(
    'tail-too-small',
    !few,
    'note',
    'p99 needs 10,000 requests',
    `${(cell.rate ?? 0) * windowSeconds}`,
    'raise --duration or --rate',
  )
}

function fillHops(
  tables: Tables,
  keys: Keys,
  mode: FixtureMode,
  cell: FixtureCell,
  requests: number,
  noise: (spread: number) => number,
): void {
  const amount: Readonly<Record<string, number>> = {
    connections: cell.connections,
    handshakes: cell.connections,
    requests,
    bytes: requests * 214,
    packets: Math.round(requests * 2.1 * noise(0.01)),
    segments: Math.round(requests * 4.2 * noise(0.01)),
  }
  for (const hop of pictures[mode]?.hops ?? [])
    for (const { key, label, unit } of hop.counters) {
      const plaintext = key === 'wire.plaintext' && mode !== 'baseline'
      const hbone = key === 'wire.hbone' && (mode === 'baseline' || mode === 'sidecar')
      const value = plaintext || hbone ? 0 : (amount[unit] ?? 0)
      tables.hops.push({ ...keys, hop: hop.id, counter: key, label, unit, value })
    }
}
