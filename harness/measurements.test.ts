import { build, encodeIntoCompressedBase64 } from 'hdr-histogram-js'
import { describe, expect, it } from 'vitest'
import type { Cell, Firing, Sample } from './contracts.ts'
import { measure } from './measurements.ts'
import { cellsOf } from './plan.ts'
import { fakeFiring } from './testing/fake-driver.ts'
import { fakeRequest } from './testing/fake-world.ts'

function cellOf(test: 'latency' | 'crr' | 'stream'): Cell {
  const [cell] = cellsOf({ ...fakeRequest, tests: [test] }, [{ perSecond: 1000, loadPercent: null }])
  if (!cell) throw new Error(`${test} has a cell`)
  return cell
}

/** `count` values from 1 to `count` times `step` ns. */
function ramp(count: number, step: number): string {
  const histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 2 ** 40,
    numberOfSignificantValueDigits: 3,
  })
  for (let i = 1; i <= count; i++) histogram.recordValue(i * step)
  return encodeIntoCompressedBase64(histogram)
}

const sample = (role: Sample['role'], metric: string, value: number): Sample => ({
  component: role,
  role,
  metric,
  unit: '',
  value,
  source: 'test',
})

const byName = (
  cell: Cell,
  firing: Partial<Firing>,
  samples: Sample[] = [],
  driverInside = false,
): Record<string, number> =>
  Object.fromEntries(
    measure({ cell, firing: { ...fakeFiring({ cell, seed: 1 }), ...firing }, samples, driverInside }).map((row) => [
      row.metric,
      row.value,
    ]),
  )

describe('percentiles', () => {
  it.each([
    [999, ['p50']],
    [1_000, ['p50', 'p90']],
    [10_000, ['p50', 'p90', 'p99']],
    [100_000, ['p50', 'p90', 'p99', 'p999']],
  ])('of %i requests: those with 100 beyond', (count, names) => {
    const found = byName(cellOf('latency'), { latencyHdr: ramp(count, 1000) })
    expect(Object.keys(found).filter((name) => name.startsWith('latency_'))).toEqual(
      names.map((name) => `latency_${name}`),
    )
    expect(found['latency_p50'] ?? 0).toBeCloseTo(count * 500, -Math.log10(count * 5))
  })

  it('are left out where the driver itself was late, and service time stays', () => {
    const latencyHdr = ramp(10_000, 100) // p50 0.5 ms, p90 0.9 ms, p99 0.99 ms
    const found = byName(cellOf('latency'), { latencyHdr, serviceHdr: latencyHdr, latenessHdr: ramp(10_000, 20) }) // 100, 180, 198 µs
    expect(found).toHaveProperty('latency_p50')
    expect(found).not.toHaveProperty('latency_p90')
    expect(found).not.toHaveProperty('latency_p99')
    expect(found).toHaveProperty('service_p99')
    expect(found).toHaveProperty('lateness_p99')
  })
})

it('gives CPU per request of datapath and kernel, without driver and probes', () => {
  const samples = [
    sample('client', 'cpu_seconds', 5),
    sample('probe', 'cpu_seconds', 7),
    sample('server', 'cpu_seconds', 0.1),
    sample('proxy', 'cpu_seconds', 0.2),
    sample('host', 'cpu_seconds', 0.1),
    sample('proxy', 'memory_bytes', 100),
    sample('server', 'memory_bytes', 1000),
    sample('stack', 'tcp_segments_in', 300),
    sample('stack', 'tcp_segments_out', 500),
  ]
  const found = byName(cellOf('latency'), { done: 400 }, samples)
  expect(found['cpu_per_request']).toBeCloseTo(0.001)
  expect(found['memory']).toBe(100)
  expect(found['tcp_segments']).toBe(2)
})

it('takes the waiting spin of a driver inside a sandbox off the sandbox’s CPU', () => {
  const samples = [sample('sandbox', 'cpu_seconds', 0.5)]
  const firing = { done: 400, spinSeconds: 0.1 }
  expect(byName(cellOf('latency'), firing, samples, true)['cpu_per_request']).toBeCloseTo(0.001)
  expect(byName(cellOf('latency'), firing, samples)['cpu_per_request']).toBeCloseTo(0.00125)
})

it('counts connections and streams by their own names', () => {
  expect(byName(cellOf('crr'), { connectionsDone: 600, wallSeconds: 2 })['connections_per_second']).toBe(300)
  const stream = byName(cellOf('stream'), { streamBytes: 2 ** 20, wallSeconds: 1 }, [sample('proxy', 'cpu_seconds', 2)])
  expect(stream['stream_up']).toBe(8 * 2 ** 20)
  expect(stream['cpu_per_byte']).toBeCloseTo(2 / 2 ** 20)
  expect(stream).not.toHaveProperty('throughput')
})
