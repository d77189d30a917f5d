/** Contract suites: what every plug-in of a shape must do. Call them inside a vitest file. */
import { describe, expect, it } from 'vitest'
import type { Collector, Driver, Mode, Path, PlannedShot, Provider, Testbed } from '../contracts.ts'
import { Scope } from '../scope.ts'

const log = { step() {}, detail() {} }
const isName = /^[a-z][a-z0-9-]*$/

/** Lays a testbed and takes it down; `isGone` says whether nothing is left. */
export function providerContract(provider: Provider, workDir: () => string, isGone: () => boolean): void {
  describe(`provider ${provider.name}`, () => {
    it('lays a testbed and undoes it', async () => {
      expect(provider.name).toMatch(isName)
      const scope = new Scope('contract')
      const request = { runId: 'contract', placement: 'cross-node', workDir: workDir(), seed: 1 } as const
      const bed = await provider.open(request, scope, log)
      expect([bed.provider, bed.placement]).toEqual([provider.name, 'cross-node'])
      await scope.close()
      expect(isGone()).toBe(true)
    })
  })
}

/** A laid mode stands, and its picture refers only to what exists. */
export function modeContract(mode: Mode, open: (scope: Scope) => Promise<Testbed>): void {
  describe(`mode ${mode.name}`, () => {
    it('stands once laid, with a picture that holds together', async () => {
      expect(mode.name).toMatch(isName)
      await using scope = new Scope('contract')
      const path = await mode.lay(await open(scope), scope, log)
      const now = await path.observe()
      expect(path.mode).toBe(mode.name)
      expect(path.standing(now).filter((fact) => !fact.holds)).toEqual([])
      const { lanes, hops, links } = path.picture
      const ids = hops.map((hop) => hop.id)
      expect(new Set(ids).size).toBe(ids.length)
      for (const hop of hops) {
        expect(lanes).toContain(hop.lane)
        for (const { key } of hop.counters) expect(Object.keys(now.counters)).toContain(key)
      }
      for (const { from, to } of links) expect(ids).toEqual(expect.arrayContaining([from, to]))
    })
  })
}

/** A driver says when it measures, in order, and its counts agree; an aborted one does not resolve. */
export function driverContract(driver: Driver, path: () => Path, shot: Pick<PlannedShot, 'cell' | 'seed'>): void {
  describe(`driver ${driver.name}`, () => {
    it('measures between its two calls and brings back counts that agree', async () => {
      const calls: string[] = []
      const hooks = {
        signal: new AbortController().signal,
        measuring: () => void calls.push('measuring'),
        measured: () => void calls.push('measured'),
      }
      const firing = await driver.fire(path(), shot, hooks)
      expect(calls).toEqual(['measuring', 'measured'])
      expect(firing.done).toBeGreaterThan(0)
      expect(firing.done).toBeLessThanOrEqual(firing.sent)
      expect(firing.wallSeconds).toBeGreaterThan(0)
    })
    it('rejects when stopped', async () => {
      const hooks = { signal: AbortSignal.abort(), measuring() {}, measured() {} }
      await expect(driver.fire(path(), shot, hooks)).rejects.toThrow()
    })
  })
}

/** A collector's samples are finite and say where they were read. */
export function collectorContract(collector: Collector, path: () => Path): void {
  it(`collector ${collector.name} gives finite samples with a source`, async () => {
    const collecting = await collector.start(path())
    await collecting.window()
    const samples = await collecting.stop()
    for (const sample of samples) {
      expect(sample.source).not.toBe('')
      expect(Number.isFinite(sample.value)).toBe(true)
      expect(sample.value).toBeGreaterThanOrEqual(0)
    }
  })
}
