import { expect, it } from 'vitest'
import type { Sample } from './contracts.ts'
import { SpinMeter, weatherOf } from './weather.ts'

it('compares a CPU with the fastest that it has shown', () => {
  const meter = new SpinMeter([])
  expect(meter.see(0, 90, 100)).toBeCloseTo(0.9)
  expect(meter.see(0, 100, 200)).toBeCloseTo(0.5)
  expect(meter.see(0, 190, 190)).toBeCloseTo(0.95)
  expect(meter.see(1, 40, 50)).toBeCloseTo(0.8)
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
  expect(seen).toEqual({ ...sky, stealShare: 0.025, foreignShare: 0.05, throttledSeconds: null })
  expect(weatherOf([], sky)).toMatchObject({ stealShare: 0, foreignShare: 0 })
})
