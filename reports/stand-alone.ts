/**
 * One chart as a picture of its own, e.g. for a README: an SVG file that brings its colours along, light and dark, on
 * a ground of its own, because the page around it may have another scheme than the reader's system.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BenchError } from '../harness/errors.ts'
import type { RunRecord } from '../results/run-record.ts'
import { type Analysis, analyse } from './analysis.ts'
import { briefCaveats } from './caveats.ts'
import latency from './charts/latency.ts'
import { draw } from './draw.ts'
import { plural } from './format.ts'
import { escapeHtml } from './html.ts'
import { schemes } from './style.ts'

const margin = 20
/** Room for title and source, px. */
const headHeight = 46
const footHeight = 38
const face = "font-family=\"system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',sans-serif\""

/** Modes that have no mark: said, so that their absence is not taken for a figure. */
function unmarked(run: Analysis): string {
  const marked = new Set(
    run.shots.filter((shot) => shot.valid && shot.block > 0 && shot.cell.test === 'latency').map((shot) => shot.mode),
  )
  const without = run.modes.filter(({ name }) => !marked.has(name)).map(({ name }) => name)
  return without.length > 0 ? `; no valid shot of ${without.join(', ')}` : ''
}

/** Where the figures come from, in one line: a picture travels without its page. */
function source(run: Analysis): string {
  const { manifest } = run.record
  const blocks = new Set(run.shots.filter((shot) => shot.block > 0).map((shot) => shot.block)).size
  const lost = run.shots.filter((shot) => !shot.valid).length
  const date = manifest.startedAt.slice(0, 10)
  return `${manifest.host.cpuModel}, ${plural(manifest.host.cpus, 'CPU')}, ${date}; ${plural(blocks, 'block')}, ${lost} of ${plural(run.shots.length, 'shot')} void${unmarked(run)}${briefCaveats(run)}`
}

/** The latency chart of a run as stand-alone SVG; null where no valid shot has a latency. */
export async function firstChart(record: RunRecord): Promise<string | null> {
  const run = analyse(record)
  const spec = latency.spec({ ...run, curves: [] })
  if (spec === null) return null
  const { svg, width } = await draw(spec)
  const height = Number(/height="([\d.]+)"/.exec(svg)?.[1] ?? 0)
  const [fullWidth, fullHeight] = [width + 2 * margin, height + headHeight + footHeight]
  const inner = svg.replace('<svg ', `<svg x="${margin}" y="${headHeight}" `).replace(/ data-says="[^"]*"/g, '')
  const title = 'Latency at equal rates, by mode'
  return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 ${fullWidth} ${fullHeight}" width="${fullWidth}" height="${fullHeight}" role="img" aria-label="${title}" ${face}>
<style>svg{${schemes.light}}@media (prefers-color-scheme:dark){svg{${schemes.dark}}}</style>
<rect width="100%" height="100%" rx="10" fill="var(--card)"/>
<text x="${margin}" y="30" font-size="17" font-weight="600" fill="var(--ink)">${title}</text>
${inner}
<text x="${margin}" y="${fullHeight - 15}" font-size="12" fill="var(--muted)">${escapeHtml(source(run))}</text>
</svg>
`
}

/** Writes the picture to `file`. */
export async function writeFirstChart(record: RunRecord, file: string): Promise<void> {
  const svg = await firstChart(record)
  if (svg === null)
    throw new BenchError(
      'input',
      `run ${record.manifest.run} has no valid latency shot to draw`,
      'choose a run that has some, or measure again on a quieter machine',
    )
  try {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, svg)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new BenchError('output', `the chart ${file} cannot be written: ${why}`, 'choose another --chart', { cause })
  }
}
