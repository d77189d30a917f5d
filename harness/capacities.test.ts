import { describe, expect, it } from 'vitest'
import { isDisturbed, type Searched, weakest } from './capacities.ts'

const shot = (mode: string, perSecond: number, sound = true, form = 'c16'): Searched => ({
  mode,
  form,
  perSecond,
  sound,
})

describe('the weakest mode', () => {
  it.each<[string, Searched[], string, number]>([
    ['is the one with the least capacity', [shot('a', 100), shot('b', 50)], 'b', 50],
    [
      'counts by its valid shot, though a disturbed one was faster',
      [shot('a', 60), shot('b', 90, false), shot('b', 50)],
      'b',
      50,
    ],
    [
      'counts by the better of two disturbed ones',
      [shot('a', 60), shot('b', 20, false), shot('b', 80, false)],
      'a',
      60,
    ],
    [
      'may be weak in one form only',
      [shot('a', 60), shot('a', 10, true, 'c1'), shot('b', 50), shot('b', 40, true, 'c1')],
      'a',
      10,
    ],
  ])('%s', (_case, found, mode, perSecond) => expect(weakest(found)).toMatchObject({ mode, perSecond }))

  it('is nobody when nothing was measured', () => expect(weakest([])).toBeUndefined())
})

it('is disturbed until a valid shot told it; a mode that was never measured is not', () => {
  const found = [shot('a', 10, false), shot('b', 10, false), shot('b', 12)]
  expect(isDisturbed(found, { mode: 'a', form: 'c16' })).toBe(true)
  expect(isDisturbed(found, { mode: 'b', form: 'c16' })).toBe(false)
  expect(isDisturbed(found, { mode: 'c', form: 'c16' })).toBe(false)
})
