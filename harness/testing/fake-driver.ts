/** A driver on a virtual clock: answers at once, with latencies that its seed decides. */
import { build, encodeIntoCompressedBase64 } from 'hdr-histogram-js'
import type { Driver, Firing, PlannedShot } from '../contracts.ts'
import { random } from '../random.ts'

export interface FakeDriverOptions {
  /** Called with the number of the shot (from 1) before it is fired; may throw, as a dying driver would. */
  readonly before?: (count: number, shot: Pick<PlannedShot, 'cell' | 'seed'>) => void
}

function histogram(seed: number, count: number): string {
  const next = random(seed)
  const recorded = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 2 ** 33,
    numberOfSignificantValueDigits: 3,
  })
  for (let i = 0; i < count; i++) recorded.recordValue(100_000 + Math.floor(next() * 50_000))
  return encodeIntoCompressedBase64(recorded)
}

/** Firing of 1000 requests per second of the window. */
export function fakeFiring({ cell, seed }: Pick<PlannedShot, 'cell' | 'seed'>): Firing {
  const done = Math.round(1000 * cell.durationSeconds)
  return {
    planned: done,
    sent: done,
    done,
    errors: {},
    wallSeconds: cell.durationSeconds,
    latencyHdr: cell.test === 'stream' ? null : histogram(seed, done),
    serviceHdr: null,
    latenessHdr: null,
    streamBytes: cell.test === 'stream' ? 1e6 : 0,
    connectionsDone: cell.test === 'crr' ? done : 0,
    cpuSeconds: 0.1 * cell.durationSeconds,
    spinSeconds: 0,
    slices: { sliceMs: 50, p50Ns: [] },
    traffic: { connections: cell.connections, requests: done, bytesSent: done, bytesReceived: done },
    driverVersion: 'fake',
  }
}

export function fakeDriver(options: FakeDriverOptions = {}): Driver {
  let count = 0
  return {
    name: 'fake',
    about: 'answers at once',
    available: async () => ({ ok: true }),
    supports: () => ({ ok: true }),
    async fire(_path, shot, hooks) {
      count++
      options.before?.(count, shot)
      hooks.measuring()
      hooks.measured()
      if (hooks.signal.aborted) throw new Error('stopped')
      return fakeFiring(shot)
    },
  }
}
