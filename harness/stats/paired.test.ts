import fc from 'fast-check'
import { permutationTest } from 'simple-statistics'
import { describe, expect, it } from 'vitest'
import { includes, minimalDetectableEffect, pairByBlock, pairedDifference, pairedRatio } from './paired.ts'
import { signFlipP } from './sign-flip.ts'

const blocks = (values: readonly number[], from = 1) => new Map(values.map((value, index) => [index + from, value]))

describe('pairing', () => {
  it('takes only blocks that both have', () => {
    const subject = new Map([
      [1, 10],
      [3, 30],
      [2, 20],
    ])
    expect(
      pairByBlock(
        subject,
        new Map([
          [3, 3],
          [1, 1],
          [9, 9],
        ]),
      ),
    ).toEqual([
      [10, 1],
      [30, 3],
    ])
    expect(pairedDifference(subject, new Map())).toBeNull()
    expect(pairedRatio(subject, new Map([[1, 0]]))).toBeNull()
  })

  it('does not see what all modes of a block share', () => {
    const weather = fc.array(fc.double({ min: 0.2, max: 5, noNaN: true }), { minLength: 5, maxLength: 12 })
    fc.assert(
      fc.property(weather, (factors) => {
        const ratio = pairedRatio(blocks(factors.map((factor) => 3 * factor)), blocks(factors))
        expect(ratio?.centre).toBeCloseTo(3, 8)
        expect((ratio?.high ?? 0) - (ratio?.low ?? 0)).toBeLessThan(1e-6)
      }),
    )
  })

  it('turns over with its arguments', () => {
    const values = fc.array(
      fc.tuple(fc.double({ min: 1, max: 9, noNaN: true }), fc.double({ min: 1, max: 9, noNaN: true })),
      {
        minLength: 5,
        maxLength: 9,
      },
    )
    fc.assert(
      fc.property(values, (pairs) => {
        const [a, b] = [blocks(pairs.map(([x]) => x)), blocks(pairs.map(([, y]) => y))]
        expect((pairedRatio(a, b)?.low ?? 0) * (pairedRatio(b, a)?.high ?? 0)).toBeCloseTo(1, 8)
        expect((pairedDifference(a, b)?.low ?? 0) + (pairedDifference(b, a)?.high ?? 0)).toBeCloseTo(0, 8)
      }),
    )
  })

  it('reproduces the paired t interval of Student’s sleep data', () => {
    // Student 1908: mean difference 1.58, 95 % interval 0.7001142 to 2.4598858.
    const second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    const first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0, 2]
    const difference = pairedDifference(blocks(second), blocks(first))
    expect(difference?.centre).toBeCloseTo(1.58, 10)
    expect(difference?.low).toBeCloseTo(0.7001142, 6)
    expect(difference?.high).toBeCloseTo(2.4598858, 6)
    expect(difference && includes(difference, 0)).toBe(false)
  })
})

describe('signFlipP', () => {
  it('says nothing below eight pairs, and no less than 2/2^n above', () => {
    expect(signFlipP([1, 1, 1, 1, 1, 1, 1])).toBeNull()
    expect(signFlipP([1, 2, 3, 4, 5, 6, 7, 8])).toBeCloseTo(2 / 256, 12)
  })

  it('is 1 for a sum of nothing, and close to exact when sampled', () => {
    expect(signFlipP([1, -1, 1, -1, 2, -2, 3, -3])).toBe(1)
    const shifted = Array.from({ length: 17 }, (_, index) => Math.sin(index * 7.3) + 0.4)
    expect(Math.abs((signFlipP(shifted) ?? 0) - (signFlipP(shifted, 99) ?? 0))).toBeLessThan(0.02)
  })

  it('does not contradict an independent permutation test', () => {
    const far = Array.from({ length: 10 }, (_, index) => 10 + Math.sin(index))
    const near = Array.from({ length: 10 }, (_, index) => 1 + Math.cos(index))
    expect(permutationTest(far, near, 'two_side', 2000)).toBeLessThan(0.05)
    expect(signFlipP(far.map((value, index) => value - (near[index] ?? 0))) ?? 1).toBeLessThan(0.05)
  })
})

// k of rule 16: 80 % power, two-sided 95 %.
it.each([
  [5, 1.66],
  [8, 1.15],
  [10, 0.99],
  [20, 0.66],
  [30, 0.53],
])('sees an effect of k sd with %i pairs', (n, k) => {
  const wave = Array.from({ length: n }, (_, index) => (index % 2 === 0 ? 1 : -1) + index * 1e-3)
  const average = wave.reduce((sum, value) => sum + value, 0) / n
  const spread = Math.sqrt(wave.reduce((sum, value) => sum + (value - average) ** 2, 0) / (n - 1))
  expect(minimalDetectableEffect(wave) / spread).toBeCloseTo(k, 1)
})
