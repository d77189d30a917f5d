/** Each rule at its limit: just within, just beyond, and where it does not apply. */
import { describe, expect, it } from 'vitest'
import type { CheckCode, Fact, Firing, Measurement, ShotEvidence, Weather } from '../contracts.ts'
import { cellsOf } from '../plan.ts'
import { fakeFiring } from '../testing/fake-driver.ts'
import { fakeRequest } from '../testing/fake-world.ts'
import { checks } from './index.ts'

const [open, closed] = (['latency', 'rr'] as const).map(
  (test) => cellsOf({ ...fakeRequest, tests: [test] }, [{ perSecond: 1000, loadPercent: 50 }])[0],
)
if (!open || !closed) throw new Error('both have a cell')

interface Change {
  readonly cell?: typeof open
  readonly firing?: Partial<Firing>
  readonly weather?: Partial<Weather>
  readonly measured?: Readonly<Record<string, number>>
  readonly facts?: readonly Fact[]
}

const calm: Weather = {
  stealShare: 0,
  foreignShare: 0,
  tickShare: 0.002,
  cpuPressurePercent: 0,
  spinRatio: 1,
  throttledSeconds: 0,
  driverFloorNs: 20_000,
}
const held: Fact = { claim: 'it went this way', holds: true, evidence: '1 = 1' }

function evidence({ cell = open, firing, weather, measured = {}, facts = [held] }: Change): ShotEvidence {
  const measurements: Measurement[] = Object.entries(measured).map(([metric, value]) => ({ metric, unit: 'ns', value }))
  const planned = { id: 's', block: 1, position: 0, mode: 'm', cell: cell as NonNullable<typeof open>, seed: 1 }
  return {
    planned,
    firing: { ...fakeFiring(planned), ...firing },
    facts,
    samples: [],
    measurements,
    weather: { ...calm, ...weather },
  }
}

const judge = (code: CheckCode, change: Change) => {
  const check = checks.find((candidate) => candidate.code === code)
  if (!check) throw new Error(`no check ${code}`)
  const { passed, severity, actual, remedy } = check.judge(evidence(change))
  return { outcome: passed ? 'passes' : severity, actual, remedy }
}

const slices = (p50Ns: number[]): Partial<Firing> => ({ slices: { sliceMs: 50, p50Ns } })
const level = Array.from({ length: 100 }, (_, i) => 100 + (i % 3))
const falling = Array.from({ length: 100 }, (_, i) => 1000 - 10 * i)

describe.each<[CheckCode, string, Change, 'passes' | 'void' | 'note']>([
  ['not-attested', 'all hold', {}, 'passes'],
  ['not-attested', 'one does not', { facts: [held, { ...held, holds: false }] }, 'void'],
  ['not-attested', 'there is none', { facts: [] }, 'void'],
  ['rate-not-held', '99 % sent', { firing: { planned: 1000, sent: 990 } }, 'passes'],
  ['rate-not-held', 'less sent', { firing: { planned: 1000, sent: 989 } }, 'void'],
  ['rate-not-held', 'in a closed loop', { cell: closed, firing: { planned: 1000, sent: 1 } }, 'passes'],
  [
    'late-sends',
    'p99 at its limit',
    { measured: { lateness_p50: 10, lateness_p99: 100_000, latency_p99: 500_000 } },
    'passes',
  ],
  ['late-sends', 'p99 beyond', { measured: { lateness_p50: 10, lateness_p99: 100_001, service_p99: 500_000 } }, 'note'],
  [
    'late-sends',
    'p99 within a tenth of latency',
    { measured: { lateness_p50: 10, lateness_p99: 400_000, latency_p99: 4_000_000 } },
    'passes',
  ],
  ['late-sends', 'the median late', { measured: { lateness_p50: 200_000, latency_p50: 300_000 } }, 'void'],
  ['late-sends', 'a driver without lateness', { measured: { latency_p50: 300_000 } }, 'passes'],
  ['client-busy', '69 % of a core', { firing: { cpuSeconds: 0.79, spinSeconds: 0.1, wallSeconds: 1 } }, 'passes'],
  ['client-busy', 'more', { firing: { cpuSeconds: 0.81, spinSeconds: 0.1, wallSeconds: 1 } }, 'void'],
  [
    'client-busy',
    'more in a closed loop',
    { cell: closed, firing: { cpuSeconds: 1, spinSeconds: 0, wallSeconds: 1 } },
    'note',
  ],
  ['client-busy', 'unknown', { firing: { cpuSeconds: null } }, 'passes'],
  ['errors', '0.1 %', { firing: { planned: 1000, done: 999, errors: { reset: 1 } } }, 'passes'],
  ['errors', 'more', { firing: { planned: 1000, done: 998, errors: { reset: 2 } } }, 'void'],
  ['errors', 'nothing answered', { firing: { done: 0, streamBytes: 0, connectionsDone: 0 } }, 'void'],
  ['never-settled', 'level', { firing: slices(level) }, 'passes'],
  ['never-settled', 'still falling', { firing: slices(falling) }, 'void'],
  ['never-settled', 'too short to judge', { firing: slices(falling.slice(0, 40)) }, 'passes'],
  ['tail-too-small', '10,000', { firing: { done: 10_000 } }, 'passes'],
  ['tail-too-small', 'one less', { firing: { done: 9_999 } }, 'note'],
  ['host-pressure', '5 %', { weather: { foreignShare: 0.05, cpuPressurePercent: 90 } }, 'passes'],
  ['host-pressure', 'more', { weather: { foreignShare: 0.051 } }, 'void'],
  ['host-steal', '1 %', { weather: { stealShare: 0.01 } }, 'passes'],
  ['host-steal', 'more', { weather: { stealShare: 0.011 } }, 'void'],
  ['host-steal', 'one tick of a short window', { weather: { stealShare: 0.0125, tickShare: 0.0125 } }, 'passes'],
  ['host-steal', 'two ticks of a short window', { weather: { stealShare: 0.025, tickShare: 0.0125 } }, 'void'],
  ['host-slowed', '97 %', { weather: { spinRatio: 0.97 } }, 'passes'],
  ['host-slowed', 'beside a busy hyperthread', { weather: { spinRatio: 0.7 } }, 'note'],
  ['host-slowed', 'squeezed', { weather: { spinRatio: 0.55 } }, 'void'],
  ['throttled', 'not', {}, 'passes'],
  ['throttled', 'a little', { weather: { throttledSeconds: 0.01 } }, 'void'],
  ['throttled', 'unknown', { weather: { throttledSeconds: null } }, 'passes'],
  ['driver-floor', 'twice the floor', { measured: { latency_p50: 40_000 } }, 'passes'],
  ['driver-floor', 'less', { measured: { latency_p50: 39_999 } }, 'note'],
  ['driver-floor', 'unknown', { measured: { latency_p50: 1 }, weather: { driverFloorNs: null } }, 'passes'],
])('%s, %s', (code, _case, change, outcome) => {
  it(outcome, () => {
    const result = judge(code, change)
    expect(result.outcome, result.actual).toBe(outcome)
    expect(result.remedy).not.toBe('')
  })
})
