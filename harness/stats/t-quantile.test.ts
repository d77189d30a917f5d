import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tDistribution, tQuantile } from './t-quantile.ts'

describe('tQuantile', () => {
  // Two-sided 95 %, 99 % and one-sided 80 % of the printed tables.
  it.each([
    [0.975, 1, 12.7062],
    [0.975, 4, 2.7764],
    [0.975, 9, 2.2622],
    [0.975, 30, 2.0423],
    [0.975, 1000, 1.9623],
    [0.995, 4, 4.6041],
    [0.995, 29, 2.7564],
    [0.8, 4, 0.941],
    [0.95, 2, 2.92],
  ])('p = %f with %i degrees is %f', (p, freedom, expected) => {
    expect(tQuantile(p, freedom)).toBeCloseTo(expected, 3)
  })

  it('has closed forms at one and two degrees', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 0.999, noNaN: true }), (p) => {
        expect(tQuantile(p, 1)).toBeCloseTo(Math.tan(Math.PI * (p - 0.5)), 6)
        expect(tQuantile(p, 2)).toBeCloseTo((2 * p - 1) / Math.sqrt(2 * p * (1 - p)), 8)
      }),
    )
  })

  it('inverts the distribution and is odd', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.0001, max: 0.9999, noNaN: true }),
        fc.integer({ min: 1, max: 200 }),
        (p, freedom) => {
          expect(tDistribution(tQuantile(p, freedom), freedom)).toBeCloseTo(p, 9)
          expect(tQuantile(1 - p, freedom)).toBeCloseTo(-tQuantile(p, freedom), 5)
        },
      ),
    )
  })

  it('refuses what has no quantile', () => {
    expect(() => tQuantile(1, 3)).toThrow(RangeError)
    expect(() => tQuantile(0.5, 0)).toThrow(RangeError)
  })
})
