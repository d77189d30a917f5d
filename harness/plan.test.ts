import fc from 'fast-check'
import { expect, it } from 'vitest'
import { cellsOf, estimateSeconds, type PlanRequest, planBlocks, planSearch, ratesFrom, visitsOf } from './plan.ts'
import { overheads } from './profiles.ts'

const quick: PlanRequest = { modes: ['baseline', 'sidecar', 'ambient', 'waypoint'], profile: 'quick', seed: 1 }
const planned = (request: PlanRequest) => planBlocks(request, cellsOf(request, ratesFrom([25, 50, 75], 10_000)))

it('fits the default run into four minutes', () => {
  const seconds = estimateSeconds([...planSearch(quick), ...planned(quick)]) + overheads.runSeconds
  expect(seconds).toBeLessThanOrEqual(240)
})

it('gives every mode the same cells and seeds in every block, once', () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 6 }), (seed, blocks) => {
      const shots = planned({ ...quick, seed, blocks })
      expect(new Set(shots.map((shot) => shot.id)).size).toBe(shots.length)
      expect(shots).toEqual(planned({ ...quick, seed, blocks }))
      for (let block = 1; block <= blocks; block++) {
        const perMode = quick.modes.map((mode) =>
          shots
            .filter((shot) => shot.block === block && shot.mode === mode)
            .map(({ cell, seed: of }) => ({ cell, of })),
        )
        for (const cells of perMode) expect(cells).toEqual(perMode[0])
      }
      expect(visitsOf(shots)).toHaveLength(blocks * quick.modes.length)
    }),
    { numRuns: 30 },
  )
})

it('shuffles the modes from block to block', () => {
  const orders = visitsOf(planned({ ...quick, blocks: 12 })).map((visit) => `${visit.block} ${visit.mode}`)
  const firsts = new Set(orders.filter((_, index) => index % 4 === 0).map((name) => name.split(' ')[1]))
  expect(firsts.size).toBeGreaterThan(1)
})

it('has no HTTP form of stream', () => {
  expect(() => cellsOf({ ...quick, protocol: 'http', tests: ['stream'] }, [])).toThrow('no HTTP form')
  expect(cellsOf({ ...quick, protocol: 'http', tests: ['crr'] }, [])[0]?.newConnections).toBe(true)
})
