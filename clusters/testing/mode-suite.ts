/** What every mode must pass for real: it stands and carries every kind of load with all facts; broken on purpose, facts fail. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Mode, Placement } from '../../harness/contracts.ts'
import { drive, failed, type LaidMode, layMode, loads } from './laid-mode.ts'

const http = loads['http capacity']
if (!http) throw new Error('no load')

/** `shownOnly`: counters that no travelled fact judges, because they are only shown, or judged when standing. */
export function provesItsPath(mode: Mode, placement: Placement, shownOnly: RegExp): void {
  describe(placement, () => {
    let laid: LaidMode
    beforeAll(async () => {
      laid = await layMode(mode, placement)
    })
    afterAll(() => laid.scope.close())

    it('stands as it claims', async () => {
      expect(failed(laid.path.standing(await laid.path.observe()))).toEqual([])
    })

    it.each(Object.entries(loads))('proves the path of %s', async (_name, load) => {
      const { facts, done } = await drive(laid, load)
      expect(failed(facts)).toEqual([])
      expect(done).toBeGreaterThan(0)
    })

    it('asserts every counter that it reads', async () => {
      const { before, after, traffic } = await drive(laid, http as NonNullable<typeof http>)
      const judge = (key: string, by: number): string[] =>
        failed(
          laid.path.travelled(
            before,
            { ...after, counters: { ...after.counters, [key]: (after.counters[key] ?? 0) + by } },
            traffic,
          ),
        )
      const unseen = Object.keys(after.counters).filter(
        (key) => !shownOnly.test(key) && judge(key, 1e12).length === 0 && judge(key, -1e12).length === 0,
      )
      expect(unseen).toEqual([])
    })

    it('has a counter for every hop of its picture that shows one', async () => {
      const { counters } = await laid.path.observe()
      const keys = laid.path.picture.hops.flatMap((hop) => hop.counters.map((counter) => counter.key))
      expect(keys.filter((key) => !(key in counters))).toEqual([])
    })
  })
}

export interface Breakage {
  readonly mode: Mode
  readonly how: string
  readonly breakIt: (laid: LaidMode) => Promise<unknown>
  /** Words of a claim that must fail: before the shot (standing) or after it (travelled). */
  readonly standing?: RegExp
  readonly travelled?: RegExp
}

/** Kills a component, and waits until it is gone. */
export async function stop(laid: LaidMode, component: string): Promise<void> {
  const group = laid.bed.components.find((candidate) => candidate.name === component)
  const pids = group?.pids() ?? []
  if (pids.length === 0) throw new Error(`${component} does not run`)
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  while ((group?.pids() ?? []).length > 0) await new Promise((resolve) => setImmediate(resolve))
}

export const flush = (place: LaidMode['bed']['client']): Promise<string> =>
  place.run(['iptables-restore'], '*nat\nCOMMIT\n')

/** Lays, breaks, drives: the facts must say so. */
export function seesBreakages(breakages: readonly Breakage[]): void {
  describe.each(breakages)('$mode.name, broken on purpose: $how', (breakage) => {
    let laid: LaidMode
    beforeAll(async () => {
      laid = await layMode(breakage.mode)
      await breakage.breakIt(laid)
    })
    afterAll(() => laid.scope.close())

    it('is seen', async () => {
      const standing = laid.path.standing(await laid.path.observe())
      const { facts } = await drive(laid, http as NonNullable<typeof http>)
      if (breakage.standing) expect(failed(standing).join('\n')).toMatch(breakage.standing)
      if (breakage.travelled) expect(failed(facts).join('\n')).toMatch(breakage.travelled)
    })
  })
}
