/** The path picture of every mode: drawn for wide screens, an ordered list for narrow ones and screen readers. */
import type { Carries } from '../../harness/contracts.ts'
import { type Analysis, cellsOf } from '../analysis.ts'
import { cellLabel } from '../chart.ts'
import { changeKey, type MeasuredPath, measuredPaths } from '../hop-changes.ts'
import { type Html, html, raw } from '../html.ts'
import { modeMark } from '../mode-mark.ts'
import { counterText, drawPath, linkLooks } from '../path-picture.ts'
import { scrollBox } from './charts.ts'

const sample = (carries: Carries): Html => {
  const { colour, width, dash } = linkLooks[carries]
  return raw(
    `<svg width="44" height="10" aria-hidden="true" focusable="false"><path d="M1,5H43" stroke="${colour}" stroke-width="${width}" stroke-dasharray="${dash}"/></svg>`,
  )
}

function legend(paths: readonly MeasuredPath[]): Html {
  const used = new Set(paths.flatMap(({ picture }) => picture.links.map((link) => link.carries)))
  const kinds = (Object.keys(linkLooks) as Carries[]).filter((carries) => used.has(carries))
  return html`<ul class="path-legend" aria-label="What the links carry">${kinds.map((carries) => html`<li>${sample(carries)}${linkLooks[carries].name}</li>`)}</ul>`
}

function way({ mode, picture, changes }: MeasuredPath): Html {
  const next = new Map(picture.links.map((link) => [link.from, link]))
  const hops = picture.hops.map((hop) => {
    const link = next.get(hop.id)
    const counters = hop.counters.map((counter) => {
      const value = counterText(changes.get(changeKey(hop.id, counter.key)), counter.unit)
      return html`<div>${counter.label}: <b>${value}</b>${counter.unit === 'bytes' || value === 'not counted' ? '' : ` ${counter.unit}`}</div>`
    })
    return html`<li><div class="lane">${hop.lane}</div><div class="label">${hop.label}</div>${hop.detail && html`<div class="detail">${hop.detail}</div>`}${counters}${link && html`<div class="next" style="color:${linkLooks[link.carries].colour}"><span aria-hidden="true">↓ </span>${link.label ?? linkLooks[link.carries].name}</div>`}</li>`
  })
  return html`<ol class="way" style="--own:var(--mode-${mode.index % 8})" aria-label="Hops of ${mode.name}, in order">${hops}</ol>`
}

/** Whether some hop of the shot saw requests but opened no connection. */
const keptOpen = ({ picture, changes }: MeasuredPath): boolean =>
  picture.hops.some((hop) =>
    hop.counters.some(
      (counter) =>
        counter.unit === 'connections' && hop.kind !== 'wire' && changes.get(changeKey(hop.id, counter.key)) === 0,
    ),
  )

function figure(path: MeasuredPath, run: Analysis): Html {
  const { mode, picture, changes, shot } = path
  const drawn = raw(drawPath(picture, changes, `var(--mode-${mode.index % 8})`))
  const counted = shot
    ? html`Counters: change over the shot <span class="mono">${shot.id}</span> (${shot.cell.test} at ${cellLabel(shot.cell, cellsOf(run, shot.cell.test))}, warm-up included${!shot.valid && '; the shot is void, but its facts held'}).${keptOpen(path) && ' Where connections are 0, the proxies used those that an earlier shot had opened: rules count new ones only.'}`
    : 'No shot that counts has been counted here.'
  return html`<figure class="card" id="path-${mode.index}">
<h3>${modeMark(mode)}Which way does ${mode.name} go?</h3>
<p class="question">${mode.about}</p>
<div class="path-drawing">${scrollBox(`Path picture of ${mode.name}`, drawn)}</div>
${way(path)}
<figcaption>${counted}</figcaption>
</figure>`
}

export function pathSection(run: Analysis): Html {
  const paths = measuredPaths(run)
  return html`<section id="paths" aria-labelledby="paths-title"><h2 id="paths-title">Which way did the traffic go?</h2>
<p>A request goes down on the client’s side, over the wire, and up on the server’s. The number at each hop is what that hop counted itself; nat rules count connections, not packets.</p>
${paths.length > 0 && legend(paths)}
${paths.map((path) => figure(path, run))}</section>`
}
