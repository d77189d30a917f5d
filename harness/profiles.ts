/** How long and how often: the profiles as data. Times in seconds. */
import type { TestName } from './contracts.ts'

export interface Span {
  readonly warmupSeconds: number
  readonly durationSeconds: number
}

export interface Profile {
  readonly about: string
  readonly blocks: number
  /** Shares of the weakest mode's capacity, in percent. */
  readonly loads: readonly number[]
  readonly spans: Readonly<Record<TestName, Span>>
  /** Latency windows: as long as a p99 needs at the rate, within `most`; where that is not enough, `least`. */
  readonly latencySeconds: { readonly least: number; readonly most: number }
  /** Seconds that a run may wait, in all, for a host that is not squeezed. */
  readonly calmSeconds: number
  /** Capacity shots of block 0. */
  readonly search: Span
}

const span = (warmupSeconds: number, durationSeconds: number): Span => ({ warmupSeconds, durationSeconds })

export const profiles = {
  /** Sized so that four modes, laid 24 times, stay within 4 minutes. */
  quick: {
    about: 'four modes in less than 4 minutes',
    blocks: 5,
    loads: [25, 50, 75],
    spans: {
      latency: span(0.15, 1.5),
      capacity: span(0.15, 0.6),
      rr: span(0.1, 0.5),
      crr: span(0.1, 0.5),
      stream: span(0.1, 0.5),
    },
    latencySeconds: { least: 1.2, most: 2.8 },
    calmSeconds: 20,
    search: span(0.2, 0.8),
  },
  standard: {
    about: 'about 30 minutes for four modes',
    blocks: 10,
    loads: [25, 50, 75],
    spans: {
      latency: span(1, 6),
      capacity: span(1, 4),
      rr: span(0.5, 3),
      crr: span(0.5, 3),
      stream: span(0.5, 3),
    },
    latencySeconds: { least: 6, most: 12 },
    calmSeconds: 300,
    search: span(1, 3),
  },
  thorough: {
    about: 'about 4 hours for four modes',
    blocks: 20,
    loads: [10, 25, 50, 75],
    spans: {
      latency: span(5, 20),
      capacity: span(5, 10),
      rr: span(5, 10),
      crr: span(5, 10),
      stream: span(5, 10),
    },
    latencySeconds: { least: 20, most: 60 },
    calmSeconds: 1800,
    search: span(5, 10),
  },
} as const satisfies Record<string, Profile>

export type ProfileName = keyof typeof profiles

/** Requests in a window that give a p99: 100 beyond it (methodology rule 8), and a little for a rate that falls short. */
export const requestsForP99 = 10_300

/** Connections of a test when none are given. */
export const usualConnections: Readonly<Record<TestName, number>> = {
  latency: 16,
  capacity: 16,
  rr: 1,
  crr: 4,
  stream: 1,
}
/** Payload of a request and of its answer, bytes; a stream writes 64 KiB at a time. */
export const usualPayloadBytes: Readonly<Record<TestName, number>> = {
  latency: 64,
  capacity: 64,
  rr: 64,
  crr: 64,
  stream: 65_536,
}

/** Rough costs for the estimate, seconds: laying and taking down a mode, starting a shot, spin tests of a block. */
export const overheads = { visitSeconds: 0.8, shotSeconds: 0.2, blockSeconds: 0.5, runSeconds: 8 } as const
