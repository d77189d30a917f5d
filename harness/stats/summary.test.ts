import fc from 'fast-check'
import * as reference from 'simple-statistics'
import { describe, expect, it } from 'vitest'
import { median, quantile } from './quantile.ts'
import { estimateGeometric, estimateMean, mean, medianAbsoluteDeviation, standardDeviation } from './summary.ts'

const numbers = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 2, maxLength: 40 })

describe('descriptions', () => {
  it('agree with simple-statistics', () => {
    fc.assert(
      fc.property(numbers, (values) => {
        expect(mean(values)).toBeCloseTo(reference.mean(values), 5)
        expect(median(values)).toBeCloseTo(reference.median(values), 8)
        expect(standardDeviation(values)).toBeCloseTo(reference.sampleStandardDeviation(values), 3)
        expect(medianAbsoluteDeviation(values)).toBeCloseTo(reference.medianAbsoluteDeviation(values), 8)
      }),
    )
  })

  it('interpolates quantiles as R does by default', () => {
    expect(quantile([1, 2, 3, 4], 0.25)).toBe(1.75)
    expect(quantile([15, 20, 35, 40, 50], 0.4)).toBeCloseTo(29, 12)
    expect(() => quantile([], 0.5)).toThrow(RangeError)
  })
})

describe('estimates', () => {
  it('gives the textbook t interval', () => {
    // Mean 5, sd sqrt(2.5), t(0.975; 4) = 2.7764: half width 1.9632.
    const estimate = estimateMean([3, 4, 5, 6, 7])
    expect(estimate).toMatchObject({ n: 5, centre: 5, kind: 'interval', confidence: 0.95 })
    expect(estimate.high - 5).toBeCloseTo(1.9632, 3)
  })

  it('gives the range below five values', () => {
    expect(estimateMean([3, 9, 6])).toMatchObject({ n: 3, low: 3, high: 9, kind: 'range' })
  })

  it('a geometric mean moves with the unit', () => {
    const positive = fc.array(fc.double({ min: 1e-3, max: 1e3, noNaN: true }), { minLength: 5, maxLength: 20 })
    fc.assert(
      fc.property(positive, fc.double({ min: 0.01, max: 100, noNaN: true }), (values, factor) => {
        const plain = estimateGeometric(values)
        const scaled = estimateGeometric(values.map((value) => value * factor))
        expect(scaled.centre / (plain.centre * factor)).toBeCloseTo(1, 8)
        expect(scaled.low / (plain.low * factor)).toBeCloseTo(1, 8)
        expect(plain.low).toBeLessThanOrEqual(plain.centre * (1 + 1e-12))
        expect(plain.high).toBeGreaterThanOrEqual(plain.centre * (1 - 1e-12))
      }),
    )
    expect(() => estimateGeometric([1, 0])).toThrow(RangeError)
  })
})
