import { expect, it } from 'vitest'
import type { Sample } from './contracts.ts'
import { Calm, SpinMeter, weatherOf } from './weather.ts'

it('compares a CPU with the best that it has shown', () => {
  const meter = new SpinMeter([])
  expect(meter.see(0, 100)).toBe(1)
  expect(meter.see(0, 90)).toBeCloseTo(0.9)
  expect(meter.see(0, 200)).toBe(1)
  expect(meter.see(0, 100)).toBeCloseTo(0.5)
  expect(meter.see(1, 50)).toBe(1)
})

it('waits for calm, within its time', async () => {
  const speeds = [0.5, 0.5, 0.9, 0.5, 0.5, 0.5, 0.5]
  const calm = new Calm(async () => speeds.shift() ?? 0, 0.3)
  const { signal } = new AbortController()
  expect(await calm.wait(signal)).toBe(0.9)
  expect(await calm.wait(signal)).toBe(0.5)
  expect(speeds).toHaveLength(2)
  expect(await calm.wait(signal)).toBe(0.5)
  expect(speeds).toHaveLength(1)
})

it('gives steal and foreign CPU as shares of the window', () => {
  const host = (metric: string, value: number): Sample => ({
    component: 'host',
    role: 'host',
    metric,
    unit: 's',
    value,
    source: 'proc-stat',
  })
  const sky = { cpuPressurePercent: 3, spinRatio: 0.9, driverFloorNs: 20_000 }
  const seen = weatherOf([host('total_seconds', 4), host('steal_seconds', 0.1), host('foreign_seconds', 0.2)], sky)
  expect(seen).toEqual({ ...sky, stealShare: 0.025, foreignShare: 0.05, throttledSeconds: null, tickShare: 0.0025 })
  expect(weatherOf([], sky)).toMatchObject({ stealShare: 0, foreignShare: 0 })
})
