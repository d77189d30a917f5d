import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { RunRecord } from '../results/run-record.ts'
import { analyse, byBlock } from './analysis.ts'
import { answers, latencyWords, ratioWords } from './answers.ts'
import { buildReport } from './build.ts'
import type { ChartInput } from './chart.ts'
import { charts } from './charts/index.ts'
import { draw } from './draw.ts'
import { percentileCurves } from './percentile-curves.ts'
import { proofs } from './proofs.ts'
import { fixture, fixtureRun } from './testing/fixture.ts'
import { writeReport } from './write.ts'

const record = fixture()
let input: ChartInput

beforeAll(async () => {
  const analysis = analyse(record)
  input = { ...analysis, curves: await percentileCurves(analysis) }
})

const plain = (words: readonly { text: string }[]): string =>
  words
    .map(({ text }) => text)
    .join('')
    .replaceAll('\u00a0', ' ')

describe('answers', () => {
  const estimate = {
    n: 5,
    centre: 120e3,
    low: 110e3,
    high: 131e3,
    kind: 'interval',
    confidence: 0.95,
    p: null,
  } as const

  it('say what is added, saved or not seen', () => {
    expect(plain(latencyWords(estimate))).toBe('adds 120 µs (110–131) at p50')
    expect(plain(latencyWords({ ...estimate, centre: -120e3, low: -131e3, high: -110e3 }))).toBe(
      'saves 120 µs (110–131) at p50',
    )
    expect(plain(latencyWords({ ...estimate, centre: 1e3, low: -4e3, high: 6e3 }))).toBe(
      'shows no difference at p50 that this run could see (± 5.00 µs)',
    )
    const ratio = { ...estimate, centre: 3.1, low: 2.94, high: 3.31 }
    expect(plain(ratioWords(ratio, 'the CPU per request', 'baseline'))).toBe(
      'takes 3.10 × (2.94–3.31) the CPU per request of baseline',
    )
    expect(
      plain(ratioWords({ ...ratio, centre: 1, low: 0.98, high: 1.02 }, 'the CPU per request', 'baseline')),
    ).toContain('± 2.0 %')
  })

  it('stand for every mode, the yardstick first, with load, confidence and blocks', () => {
    const all = answers(analyse(record))
    expect(all.map(({ mode }) => mode.name)).toEqual(['baseline', 'sidecar', 'ambient', 'waypoint'])
    expect(plain(all[2]?.words ?? [])).toMatch(
      /^adds \d+ µs \(\d+–\d+\) at p50 and takes 3\.\d+ × \(.+\) the CPU per request of baseline, at 4,950 requests\/s\.$/,
    )
    expect(all[2]?.basis).toMatch(
      /^95 % confidence, 5 blocks; this run could have seen a p50 that differs by [\d.]+ %$/,
    )
  })

  it('say so when there are too few pairs: waypoint lost a block', () => {
    const waypoint = answers(analyse(record)).find(({ mode }) => mode.name === 'waypoint')
    expect(waypoint?.basis).toBe('only 4 valid blocks: the span of what was seen, no interval below 5')
  })

  it('never let void shots or block 0 in', () => {
    const analysis = analyse(record)
    const cell = analysis.headline
    if (!cell) throw new Error('the fixture has latency shots')
    expect([...byBlock(analysis, 'waypoint', cell, 'latency_p50').keys()]).toEqual([1, 3, 4, 5])
    const capacity = analysis.cells.find(({ test }) => test === 'capacity')
    if (!capacity) throw new Error('the fixture has capacity shots')
    expect(byBlock(analysis, 'ambient', capacity, 'throughput').has(0)).toBe(false)
  })

  it('count what was proven', () => {
    const sidecar = proofs(analyse(record)).find(({ mode }) => mode.name === 'sidecar')
    expect(sidecar).toMatchObject({ shots: 41, proven: 40, factsFailed: 1, voided: 1 })
  })
})

describe('charts', () => {
  it.each(charts.map((chart) => [chart.name, chart] as const))(
    '%s draws marks with words, and a table',
    async (_, chart) => {
      const spec = chart.spec(input)
      expect(spec).not.toBeNull()
      const { svg } = await draw(spec ?? {})
      expect(svg).toMatch(/data-says="[^"]*(baseline|sidecar)/)
      expect(svg).not.toMatch(/#[abc]0000[0-9a-f]|undefined|NaN|null/)
      const { columns, rows } = chart.table(input)
      expect(rows.length).toBeGreaterThan(1)
      for (const row of rows) expect(row).toHaveLength(columns.length)
    },
  )

  it('are registered in order, by name', () => {
    const names = charts.map(({ name }) => name)
    expect(names).toEqual([...names].sort())
  })

  it('fail on a field that they misspell, instead of drawing nothing', async () => {
    await expect(
      draw({ data: { values: [] }, mark: 'bar', encoding: { x: { feld: 'a' }, wrong: { field: 'b' } } }),
    ).rejects.toThrow(/chart/)
  })

  it('have nothing to draw for an empty run', () => {
    const empty = { ...analyse({ ...record, shots: [], samples: [], hops: [] }), curves: [] }
    for (const chart of charts) expect(chart.spec(empty)).toBeNull()
  })
})

describe('the page', () => {
  it('loads nothing from anywhere and keeps to its size and time', async () => {
    const began = performance.now()
    const page = await buildReport(record)
    expect(performance.now() - began).toBeLessThan(5000)
    expect(page.length).toBeLessThan(3 * 2 ** 20)
    expect(page).not.toMatch(/(?:src|href)\s*=\s*["']?(?:https?:)?\/\//i)
    expect(page).not.toMatch(/url\(|@import|<link rel="stylesheet|xlink:href="http/i)
    expect(page).toContain(`../../results/${fixtureRun}/shots.csv`)
  })

  it('has one first heading and skips no level', async () => {
    const levels = [...(await buildReport(record)).matchAll(/<h([1-6])[ >]/g)].map((match) => Number(match[1]))
    expect(levels.filter((level) => level === 1)).toHaveLength(1)
    for (const [index, level] of levels.entries()) expect(level - (levels[index - 1] ?? 0)).toBeLessThanOrEqual(1)
  })

  it('escapes every text of the files', async () => {
    const evil = '<script>alert(1)</script>"\'<img src=x onerror=alert(1)>'
    const poison = <T>(value: T): T =>
      typeof value === 'string'
        ? ((/^\d{4}-|^(valid|void|latency|open|closed|http|tcp|both|up|down)$/.test(value)
            ? value
            : `${value}${evil}`) as T)
        : Array.isArray(value)
          ? (value.map(poison) as T)
          : value && typeof value === 'object'
            ? (Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, poison(inner)])) as T)
            : value
    const named = fixture({ rename: (mode) => `${mode}${evil}` })
    const poisoned: RunRecord = {
      ...named,
      manifest: {
        ...named.manifest,
        command: evil,
        commit: evil,
        version: evil,
        host: poison(named.manifest.host),
        outcome: 'failed',
      },
      facts: named.facts.map((fact) => ({ ...fact, claim: poison(fact.claim), evidence: poison(fact.evidence) })),
      checks: named.checks.map((check) => ({ ...check, actual: evil, limit: evil, remedy: evil })),
      samples: named.samples.map((sample) => ({ ...sample, component: poison(sample.component) })),
      hops: named.hops,
    }
    const page = await buildReport(poisoned)
    expect(page).not.toContain('<script>alert')
    expect(page).not.toContain('<img')
    expect(page).toContain('&lt;script&gt;alert(1)')
  })

  it.each([
    ['nothing was measured', { shots: [], samples: [], facts: [], checks: [], hops: [] }],
    ['every shot is void', { shots: record.shots.map((row) => ({ ...row, verdict: 'void' })) }],
    ['only one closed test ran', { shots: record.shots.filter((row) => row.test === 'crr') }],
    [
      'there was no warning and no floor',
      { manifest: { ...record.manifest, warnings: [], driverFloorNs: null, rates: null } },
    ],
  ] as const)('stands when %s', async (_, change) => {
    const page = await buildReport({ ...record, ...change })
    expect(page).toContain('</html>')
    expect(page).not.toMatch(/undefined|NaN|\[object/)
  })

  it('is written whole, beside nothing else', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dpb-report-'))
    try {
      const file = await writeReport(record, folder)
      expect(file).toBe(join(folder, fixtureRun, 'index.html'))
      expect(await readdir(join(folder, fixtureRun))).toEqual(['index.html'])
      expect(await readFile(file, 'utf8')).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/)
      await expect(writeReport(record, file)).rejects.toMatchObject({ exit: 'output' })
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
