/** The charts of the registry, in their order; those without data are left out. */
import { caveats } from '../caveats.ts'
import type { ChartInput, ReportChart, TextTable } from '../chart.ts'
import { draw } from '../draw.ts'
import { type Html, html, raw } from '../html.ts'

export const textTable = (
  { columns, rows }: TextTable,
  caption: string,
): Html => html`<table><caption class="unseen">${caption}</caption>
<thead><tr>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td${/^[−\-–\d]/.test(cell) ? raw(' class="figure"') : ''}>${cell}</td>`)}</tr>`)}</tbody></table>`

/** A box that scrolls by itself and can be reached by keyboard, so that the page never scrolls sideways. */
export const scrollBox = (label: string, inside: Html): Html =>
  html`<div class="scroll" tabindex="0" role="region" aria-label="${label}">${inside}</div>`

async function figure(chart: ReportChart, run: ChartInput): Promise<Html | null> {
  const spec = chart.spec(run)
  if (spec === null) return null
  const { svg } = await draw(spec)
  return html`<figure class="chart" id="chart-${chart.name}">
<h3>${chart.title}</h3>
<p class="question">${chart.question}</p>
${scrollBox(`Chart: ${chart.title}`, raw(svg))}
<figcaption>${[chart.caption, ...caveats(run)].join(' ')}</figcaption>
<details><summary>The same as a table<span class="unseen">: ${chart.title}</span></summary>${scrollBox(`Table: ${chart.title}`, textTable(chart.table(run), chart.title))}</details>
</figure>`
}

export async function chartSection(charts: readonly ReportChart[], run: ChartInput): Promise<Html> {
  const inOrder = [...charts].sort((a, b) => a.order - b.order)
  const figures: Html[] = []
  const missing: string[] = []
  for (const chart of inOrder) {
    const drawn = await figure(chart, run)
    if (drawn) figures.push(drawn)
    else missing.push(chart.title)
  }
  const left =
    missing.length > 0 && html`<p class="basis">Not drawn, because no valid shot answers it: ${missing.join(' ')}</p>`
  const empty = html`<p>No valid shot to draw: see below why.</p>`
  return html`<section id="charts" aria-labelledby="charts-title"><h2 id="charts-title">What was measured?</h2>
${figures.length > 0 ? [...figures, left] : empty}</section>`
}
