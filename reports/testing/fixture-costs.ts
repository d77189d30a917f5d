/** What each mode costs in the fixture: of the size that was seen on a two-core machine. */
export type FixtureMode = 'baseline' | 'sidecar' | 'ambient' | 'waypoint'

export interface Costs {
  /** p50 of an unhurried request, ns. */
  readonly p50Ns: number
  readonly capacityPerSecond: number
  readonly connectionsPerSecond: number
  readonly upBits: number
  readonly downBits: number
  /** CPU seconds per request, by component. */
  readonly cpu: Readonly<Record<string, number>>
  readonly memoryMiB: Readonly<Record<string, number>>
}

export const costs: Readonly<Record<FixtureMode, Costs>> = {
  baseline: {
    p50Ns: 65_000,
    capacityPerSecond: 98_000,
    connectionsPerSecond: 4900,
    upBits: 13.7e9,
    downBits: 13.4e9,
    cpu: { server: 12e-6, kernel: 17e-6 },
    memoryMiB: {},
  },
  sidecar: {
    p50Ns: 355_000,
    capacityPerSecond: 9900,
    connectionsPerSecond: 2000,
    upBits: 2.6e9,
    downBits: 2.4e9,
    cpu: { server: 14e-6, 'client sidecar': 88e-6, 'server sidecar': 81e-6, kernel: 42e-6 },
    memoryMiB: { 'client sidecar': 66, 'server sidecar': 65.4 },
  },
  ambient: {
    p50Ns: 180_000,
    capacityPerSecond: 23_000,
    connectionsPerSecond: 1300,
    upBits: 3.5e9,
    downBits: 3.4e9,
    cpu: { server: 13e-6, 'client node proxy': 24e-6, 'server node proxy': 22e-6, kernel: 31e-6 },
    memoryMiB: { 'client node proxy': 64.2, 'server node proxy': 64.8 },
  },
  waypoint: {
    p50Ns: 382_000,
    capacityPerSecond: 11_000,
    connectionsPerSecond: 960,
    upBits: 2.1e9,
    downBits: 2.0e9,
    cpu: { server: 14e-6, 'client node proxy': 25e-6, 'server node proxy': 23e-6, waypoint: 76e-6, kernel: 46e-6 },
    memoryMiB: { 'client node proxy': 64.3, 'server node proxy': 64.6, waypoint: 67.1 },
  },
}

export interface FixtureCell {
  readonly test: string
  readonly loop: string
  readonly protocol: string
  readonly direction: string
  readonly rate: number | null
  readonly loadPercent: number | null
  readonly connections: number
}

const closed = (test: string, protocol: string, connections: number, direction = 'both'): FixtureCell => ({
  test,
  loop: 'closed',
  protocol,
  direction,
  rate: null,
  loadPercent: null,
  connections,
})

const open = (rate: number, loadPercent: number): FixtureCell => ({
  test: 'latency',
  loop: 'open',
  protocol: 'http',
  direction: 'both',
  rate,
  loadPercent,
  connections: 16,
})

/** Block 0 searches capacities only. */
export const planCells = (block: number): readonly FixtureCell[] =>
  block === 0
    ? [closed('capacity', 'http', 16)]
    : [
        open(2475, 25),
        open(4950, 50),
        open(7425, 75),
        closed('capacity', 'http', 16),
        closed('rr', 'tcp', 1),
        closed('crr', 'tcp', 4),
        closed('stream', 'tcp', 1, 'up'),
        closed('stream', 'tcp', 1, 'down'),
      ]
