import { describe, expect, it } from 'vitest'
import type { Observation, Traffic } from '../../harness/contracts.ts'
import { changes, equal, is, none, same, sameBytes, some } from './judge.ts'

const at = (counters: Record<string, number>): Observation => ({ counters, states: {} })

describe('changes', () => {
  it('is the difference, and NaN where a reading lacks the counter', () => {
    const change = changes(at({ a: 2, gone: 1 }), at({ a: 5, late: 1 }))
    expect(change('a')).toBe(3)
    expect(change('gone')).toBeNaN()
    expect(change('late')).toBeNaN()
  })
})

describe.each([
  ['same, all equal', same('c', { a: 3, b: 3 }), true],
  ['same, one differs', same('c', { a: 3, b: 4 }), false],
  ['same, zero', same('c', { a: 0, b: 0 }), false],
  ['same, not readable', same('c', { a: Number.NaN, b: Number.NaN }), false],
  ['same, the driver cannot tell', same('c', { driver: null, a: 3, b: 3 }), true],
  ['same, nobody tells', same('c', { driver: null }), false],
  ['equal, zero', equal('c', { a: 0, b: 0 }), true],
  ['equal, not readable', equal('c', { a: Number.NaN, b: Number.NaN }), false],
  ['equal, one differs', equal('c', { a: 0, b: 1 }), false],
  ['none, zero', none('c', { a: 0 }), true],
  ['none, one', none('c', { a: 0, b: 1 }), false],
  ['none, not readable', none('c', { a: Number.NaN }), false],
  ['some, one', some('c', { a: 1 }), true],
  ['some, one of two', some('c', { a: 1, b: 0 }), false],
  ['some, not readable', some('c', { a: Number.NaN }), false],
  ['is, missing state', is('c', at({}), 'x', ''), false],
])('%s', (_name, fact, holds) => {
  it(holds ? 'holds' : 'fails', () => expect(fact.holds).toBe(holds))
})

describe('bytes', () => {
  const traffic = (test: Traffic['test']): Traffic => ({
    test,
    protocol: 'tcp',
    connections: 1,
    requests: null,
    bytesSent: 0,
    bytesReceived: 0,
  })

  it('agree to the byte for requests', () => {
    expect(sameBytes('c', traffic('rr'), { driver: 1000, proxy: 1000 }).holds).toBe(true)
    expect(sameBytes('c', traffic('rr'), { driver: 1000, proxy: 1001 }).holds).toBe(false)
  })

  it('agree within buffers for a stream that was cut', () => {
    expect(sameBytes('c', traffic('stream'), { driver: 1e9, proxy: 1e9 + 1e6 }).holds).toBe(true)
    expect(sameBytes('c', traffic('stream'), { driver: 1e9, proxy: 1e9 + 1e8 }).holds).toBe(false)
    expect(sameBytes('c', traffic('stream'), { driver: 1e6, proxy: 0 }).holds).toBe(false)
    expect(sameBytes('c', traffic('stream'), { driver: 1e6, proxy: Number.NaN }).holds).toBe(false)
  })
})
