/** What real machines do to a record: void shots, missing percentiles, modes laid in any order, one block left. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { modeLines } from '../harness/mode-summary.ts'
import type { Row } from '../results/columns.ts'
import type { RunRecord } from '../results/run-record.ts'
import { analyse } from './analysis.ts'
import { answers, latencyWords, ratioWords, type Words } from './answers.ts'
import { powerText } from './basis.ts'
import { buildReport } from './build.ts'
import latency from './charts/latency.ts'
import roundTrips from './charts/round-trips.ts'
import { draw } from './draw.ts'
import { measuredPaths } from './hop-changes.ts'
import { drawPath } from './path-picture.ts'
import { firstChart, writeFirstChart } from './stand-alone.ts'
import { fixture } from './testing/fixture.ts'
import { hostLine } from './weather.ts'

const record = fixture()
const plain = (words: readonly Words[]): string =>
  words
    .map(({ text }) => text)
    .join('')
    .replaceAll('\u00a0', ' ')

/** The record with the shots void that `lost` names. */
const voided = (lost: (row: Row<'shots'>) => boolean): RunRecord => ({
  ...record,
  shots: record.shots.map((row) => (lost(row) ? { ...row, verdict: 'void' } : row)),
})

const reversed = (): RunRecord => ({
  ...record,
  manifest: {
    ...record.manifest,
    modes: Object.fromEntries(Object.entries(record.manifest.modes).reverse()),
    options: { ...record.manifest.options, mode: ['waypoint', 'sidecar', 'baseline', 'ambient'] },
  },
})

describe('modes and load', () => {
  it('stand as asked, the yardstick first, in whatever order they were laid', () => {
    expect(analyse(reversed()).modes.map(({ name }) => name)).toEqual(['baseline', 'waypoint', 'sidecar', 'ambient'])
  })

  it('are answered at the load that most modes have valid shots at, else at the middle one', () => {
    expect(analyse(record).headline?.rate).toBe(4950)
    const quiet = voided((row) => row.test === 'latency' && row.rate === 4950 && row.mode === 'sidecar')
    expect(analyse(quiet).headline?.rate).not.toBe(4950)
    expect(analyse(voided(() => true)).headline?.rate).toBe(4950)
  })

  it('end a run in one line each, at that load', () => {
    const lines = modeLines(reversed())
    expect(lines.map((line) => line.split(' ')[0])).toEqual(['baseline', 'waypoint', 'sidecar', 'ambient'])
    expect(lines[1]).toMatch(/p50 .+ at 4,950 requests\/s, CPU .+\/request, capacity .+ \(39 of 40 shots valid\)/)
    expect(modeLines(voided(() => true))[0]).toContain('nothing valid')
  })
})

describe('words', () => {
  const one = { n: 1, centre: 120e3, low: 120e3, high: 120e3, kind: 'range', confidence: 0.95, p: null } as const

  it('give one block no interval, and call a range a range', () => {
    expect(plain(latencyWords(one))).toBe('adds 120 µs at p50')
    expect(plain(latencyWords({ ...one, n: 3, low: 90e3, high: 150e3 }))).toBe('adds 120 µs (seen 90.0–150) at p50')
    expect(plain(ratioWords({ ...one, n: 3, centre: 2, low: 1.8, high: 2.2 }, 'the CPU', 'baseline'))).toBe(
      'takes 2.00 × (seen 1.80–2.20) the CPU of baseline',
    )
  })

  it('do not call a difference what changes its sign between the blocks', () => {
    expect(plain(latencyWords({ ...one, n: 3, centre: 2e3, low: -4e3, high: 9e3 }))).toContain('no difference at p50')
  })

  it('say «roughly» where the interval is wider than its centre', () => {
    const wide = { ...one, n: 5, kind: 'interval', low: 10e3, high: 230e3 } as const
    expect(plain(latencyWords(wide))).toBe('adds roughly 120 µs (10.0–230) at p50')
  })

  it('tell what the run could have seen, and what chance gives with pairs enough', () => {
    const blocks = (values: readonly number[]) => new Map(values.map((value, index) => [index + 1, value]))
    const [own, other] = [blocks([110, 112, 108, 111, 109]), blocks([100, 100, 100, 100, 100])]
    const five = { ...one, n: 5, kind: 'interval' } as const
    expect(powerText(five, own, other)).toMatch(/^this run could have seen a p50 that differs by 2\.\d %$/)
    expect(powerText({ ...five, p: 0.008 }, own, other)).toContain('chance alone would give as much in 0.80 % of runs')
    expect(powerText(one, own, other)).toBe('')
  })

  it('say plainly when nothing counts', async () => {
    const none = voided(() => true)
    const page = await buildReport({ ...none, manifest: { ...none.manifest, outcome: 'undecided' } })
    expect(page).toContain('Every shot is void: this run says nothing about costs')
    expect(answers(analyse(none)).every(({ words }) => plain(words).startsWith('has no valid latency shot'))).toBe(true)
  })
})

describe('the host’s noise', () => {
  it('is one line: void shots, speed of the CPUs, steal', () => {
    const seen = ['100.0 %', '98.1 %', '80.0 %', '50.2 %']
    const first = record.checks[0]
    if (!first) throw new Error('the fixture has checks')
    const checks = seen.map((actual) => ({ ...first, code: 'host-slowed', actual }))
    const line = hostLine(analyse({ ...record, checks: [...record.checks, ...checks] }))
    expect(line).toMatch(
      /^2 of 164 shots void \(1\.2 %\), most often because .+ \((host-steal|not-attested), 1 shot\); /,
    )
    expect(line).toContain('beside 2 of 4 shots, slowed beside 1, below 60 % beside 1')
    expect(line).toContain('stolen by the hypervisor: 0.20 % in the median')
    expect(hostLine(analyse(record))).not.toContain('CPUs')
  })
})

describe('charts', () => {
  it('say where a percentile is missing for all modes', async () => {
    const without = { ...record, shots: record.shots.filter((row) => row.metric !== 'latency_p99') }
    const { svg } = await draw(latency.spec({ ...analyse(without), curves: [] }) ?? {})
    expect(svg.match(/>no p99</g)).toHaveLength(3)
    expect((await draw(latency.spec({ ...analyse(record), curves: [] }) ?? {})).svg).not.toContain('no p90')
  })

  it('keep the row of a mode that has no valid shot, and say so', async () => {
    const without = analyse(voided((row) => row.test === 'rr' && row.mode === 'sidecar'))
    const { svg } = await draw(roundTrips.spec({ ...without, curves: [] }) ?? {})
    expect(svg.match(/>no valid shot</g)).toHaveLength(1)
    expect(svg).toMatch(/>sidecar</)
  })

  it('stand alone with colours for both schemes, a source, and nothing from elsewhere', async () => {
    const svg = (await firstChart(record)) ?? ''
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/)
    expect(svg).toContain('@media (prefers-color-scheme:dark)')
    for (const [, name] of svg.matchAll(/var\((--[\w-]+)\)/g)) expect(svg).toContain(`${name}:`)
    expect(svg).toContain('2 CPUs, 2026-03-14; 5 blocks, 2 of 164 shots void')
    expect(svg).not.toContain('no valid shot of')
    const without = await firstChart(voided((row) => row.test === 'latency' && row.mode === 'sidecar'))
    expect(without).toContain('; no valid shot of sidecar<')
    expect(svg).not.toMatch(/href="http|url\(|<script|data-says/)
  })

  it('refuse to draw a picture of nothing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dpb-chart-'))
    try {
      const file = join(folder, 'new', 'chart.svg')
      await writeFirstChart(record, file)
      expect(await readFile(file, 'utf8')).toMatch(/<\/svg>\n$/)
      await expect(writeFirstChart(record, join(file, 'below'))).rejects.toMatchObject({ exit: 'output' })
      await expect(
        writeFirstChart(
          voided(() => true),
          file,
        ),
      ).rejects.toMatchObject({ exit: 'input' })
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

describe('paths', () => {
  const pathOf = (run: RunRecord) => {
    const path = measuredPaths(analyse(run)).find(({ mode }) => mode.name === 'sidecar')
    if (!path) throw new Error('the fixture has a sidecar')
    return path
  }

  it('show one shot: the valid one that opened the most connections, so that its counters agree', () => {
    const busiest = (id: string): RunRecord => ({
      ...record,
      hops: record.hops.map((row) => (row.unit === 'connections' && row.shot !== id ? { ...row, value: 0 } : row)),
    })
    const ids = record.shots.filter((row) => row.mode === 'sidecar' && row.rate === 4950 && row.block === 3)
    const id = ids[0]?.shot ?? ''
    expect(pathOf(busiest(id)).shot?.id).toBe(id)
    const lost = { ...busiest(id), shots: voided((row) => row.shot === id).shots }
    expect(pathOf(lost).shot?.id).not.toBe(id)
  })

  it('show a void shot when there is no other, but none whose facts failed', () => {
    const none = voided(() => true)
    const shot = pathOf(none).shot
    expect(shot?.valid).toBe(false)
    const fact = record.facts[0]
    if (!fact) throw new Error('the fixture has facts')
    const astray = record.shots.map((row) => ({ ...fact, shot: row.shot, holds: false }))
    expect(pathOf({ ...none, facts: astray }).shot).toBeNull()
  })

  it('point every link at its end', () => {
    for (const { picture, changes } of measuredPaths(analyse(record)))
      expect(drawPath(picture, changes, '#000').match(/class="head"/g)).toHaveLength(picture.links.length)
  })
})

describe('proof and voids', () => {
  it('unfold the facts of a mode only where one failed, and group them by when', async () => {
    const page = await buildReport(record)
    const facts = page.slice(page.indexOf('id="facts"'), page.indexOf('id="voided"'))
    expect(facts.match(/<details open>/g)).toHaveLength(1)
    expect(facts).toContain('After every shot: which way its traffic went')
  })

  it('tell each rule once with how many shots it voided', async () => {
    const checks = record.checks.map((check) =>
      check.code === 'host-steal' ? { ...check, passed: false, severity: 'void' } : check,
    )
    const page = await buildReport({ ...voided(() => true), checks })
    const section = page.slice(page.indexOf('id="voided"'), page.indexOf('Every void shot and why'))
    expect(section.match(/<td>host-steal<\/td>/g)).toHaveLength(1)
    expect(section).toContain('<td>host-steal</td><td class="figure">164</td>')
  })
})
