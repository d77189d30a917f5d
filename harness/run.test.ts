import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { tables } from '../results/columns.ts'
import { readRecord, readTables } from '../results/read.ts'
import { resumeFolder } from '../results/resume.ts'
import { fakeMode } from './testing/fake-bed.ts'
import { fakeRun } from './testing/fake-world.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dpb-run-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const ids = async (of: string): Promise<string[]> =>
  (await readRecord(of)).shots.filter((row) => row.metric === 'record_rows').map((row) => row.shot)

it('goes from plan to record', async () => {
  const { manifest, counts, left } = await fakeRun(folder)
  // two searches, then two blocks of two modes with three rates, crr and two streams
  expect({ ...counts, outcome: manifest.outcome, left }).toEqual({
    valid: 26,
    void: 0,
    missing: 0,
    outcome: 'done',
    left: 0,
  })
  expect(manifest.rates?.ratesPerSecond).toEqual([250, 500, 750])
  expect((await ids(folder)).sort()).toEqual(manifest.plan.map((shot) => shot.id).sort())
  const record = await readRecord(folder)
  expect(record.facts[0]?.evidence).toBe('two | lines, "quoted"')
  expect(record.histogram(manifest.plan[0]?.id ?? '', 'latency')?.totalCount).toBeGreaterThan(0)
})

it('voids the shot of a driver that dies, and goes on', async () => {
  const before = (count: number): void => {
    if (count === 5) throw new Error('killed by SIGKILL')
  }
  const { counts, manifest } = await fakeRun(folder, { driver: { before } })
  expect({ ...counts, outcome: manifest.outcome }).toEqual({ valid: 25, void: 1, missing: 0, outcome: 'done' })
  const failed = (await readRecord(folder)).checks.filter((check) => check.code === 'driver-died')
  expect(failed.map((check) => check.actual)).toEqual(['killed by SIGKILL'])
})

it('voids what went another way, and cannot tell when too much is void', async () => {
  const { counts, manifest } = await fakeRun(folder, {
    modes: [fakeMode('plain'), fakeMode('mesh', { bypassed: true })],
  })
  expect({ ...counts, outcome: manifest.outcome }).toEqual({ valid: 13, void: 13, missing: 0, outcome: 'undecided' })
})

it('reports a mode that cannot be laid as missing; fails if none can', async () => {
  const broken = fakeMode('mesh', { cannotLay: true })
  expect((await fakeRun(folder, { modes: [fakeMode('plain'), broken] })).counts).toEqual({
    valid: 13,
    void: 0,
    missing: 13,
  })
  const none = fakeRun(join(folder, 'none'), { modes: [broken], request: { modes: ['mesh'] } })
  await expect(none).rejects.toThrow('no mode could be laid')
})

it('keeps finished shots when interrupted, and resumes to the same record', async () => {
  const stop = new AbortController()
  const before = (count: number): void => {
    if (count === 9) stop.abort()
  }
  const first = await fakeRun(folder, { driver: { before }, signal: stop.signal })
  expect([first.manifest.outcome, first.counts.valid, first.left]).toEqual(['interrupted', 8, 0])
  const { manifest, complete } = await resumeFolder(folder)
  expect(complete.size).toBe(8)
  const second = await fakeRun(folder, { manifest, complete })
  expect([second.manifest.outcome, second.counts.valid]).toEqual(['done', 18])
  expect(new Set(await ids(folder)).size).toBe(26)
  expect(await ids(folder)).toHaveLength(26)
})

it('resumes from files cut at any byte without losing or doubling a shot', async () => {
  await fakeRun(folder)
  const files = Object.values(tables).map((table) => table.file)
  const whole = readTables(folder)
  const cuts = fc.record(Object.fromEntries(files.map((file) => [file, fc.double({ min: 0, max: 1, noNaN: true })])))
  await fc.assert(
    fc.asyncProperty(cuts, async (shares) => {
      const copy = mkdtempSync(join(tmpdir(), 'dpb-cut-'))
      cpSync(folder, copy, { recursive: true })
      const texts = files.map((file) => {
        const text = readFileSync(join(copy, file))
        const cut = text.subarray(0, Math.round(text.length * (shares[file] ?? 1)))
        truncateSync(join(copy, file), cut.length)
        return cut.toString()
      })
      const { complete } = await resumeFolder(copy)
      // a shot is intact when every line that names it is still there, line end included
      for (const shot of whole.complete) {
        const intact = files.every((file, index) => {
          const lines = readFileSync(join(folder, file), 'utf8')
            .split(/(?<=\n)/)
            .filter((line) => line.includes(shot))
          return lines.every((line) => texts[index]?.includes(line))
        })
        expect(complete.has(shot)).toBe(intact)
      }
      expect(readTables(copy).complete).toEqual(complete)
      expect(new Set(readTables(copy).all.samples.map((row) => row.shot)).size).toBeLessThanOrEqual(complete.size)
      rmSync(copy, { recursive: true })
    }),
    { numRuns: 25 },
  )
}, 30_000)
