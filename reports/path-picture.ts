/** The way of a request as a drawing: hops with their measured counters, links by what they carry. Pure. */
import type { Carries, PathPicture } from '../harness/contracts.ts'
import { human } from './format.ts'
import { changeKey, type HopChanges } from './hop-changes.ts'
import { escapeHtml } from './html.ts'
import { type Box, counterLine, type Layout, labelLine, laneGap, laneMargin, laneWidth, layOut } from './path-layout.ts'

interface LinkLook {
  readonly name: string
  readonly colour: string
  readonly width: number
  readonly dash: string
}

/** Look of a link by what it carries; width and dashes tell it without colour. */
export const linkLooks: Readonly<Record<Carries, LinkLook>> = {
  plaintext: { name: 'plaintext', colour: 'var(--plain)', width: 2.5, dash: '2 4' },
  mtls: { name: 'mTLS', colour: 'var(--mtls)', width: 3, dash: '' },
  hbone: { name: 'HBONE (HTTP/2 CONNECT in mTLS)', colour: 'var(--hbone)', width: 5, dash: '' },
  vsock: { name: 'vsock', colour: 'var(--vsock)', width: 3, dash: '9 4' },
  memory: { name: 'shared memory', colour: 'var(--memory)', width: 3.5, dash: '10 3 2 3' },
}

export const counterText = (value: number | undefined, unit: string): string =>
  value === undefined ? 'not counted' : unit === 'bytes' ? human(value, 'bytes') : human(value, 'count')

const attribute = (text: string): string => escapeHtml(text)

const text = (x: number, y: number, words: string, more: string): string =>
  `<text x="${x}" y="${y}" ${more}>${escapeHtml(words)}</text>`

export function drawPath(picture: PathPicture, changes: HopChanges, accent: string): string {
  if (picture.hops.length === 0) return ''
  const layout = layOut(picture, (hop, counter) =>
    counterText(changes.get(changeKey(hop.id, counter.key)), counter.unit),
  )
  const parts = [
    ...layout.lanes.map((lane, index) => drawLane(lane, index, layout)),
    ...drawLinks(picture, layout),
    ...layout.boxes.map((box) => drawBox(box, accent)),
  ]
  return `<svg class="path" xmlns="http://www.w3.org/2000/svg" width="${layout.width}" height="${layout.height}" viewBox="0 0 ${layout.width} ${layout.height}" aria-hidden="true" focusable="false" font-family="inherit">${parts.join('')}</svg>`
}

function drawLane(lane: string, index: number, { height }: Layout): string {
  const x = laneMargin + index * (laneWidth + laneGap)
  const ground = `<rect x="${x - laneMargin}" y="0" width="${laneWidth + 2 * laneMargin}" height="${height}" rx="9" fill="var(--soft)" opacity="0.6"/>`
  const head = text(
    x + laneWidth / 2,
    23,
    lane,
    'text-anchor="middle" font-size="13" fill="var(--muted)" font-weight="600"',
  )
  return ground + head
}

function drawLinks(picture: PathPicture, { boxes }: Layout): string[] {
  const byId = new Map(boxes.map((box) => [box.hop.id, box]))
  return picture.links.flatMap((link) => {
    const from = byId.get(link.from)
    const to = byId.get(link.to)
    if (!from || !to) return []
    const look = linkLooks[link.carries]
    const stroke = `fill="none" stroke="${look.colour}" stroke-width="${look.width}"${look.dash ? ` stroke-dasharray="${look.dash}"` : ''}`
    const { line: way, head } = route(from, to)
    const says = attribute(`${from.hop.label} → ${to.hop.label}: ${link.label ?? look.name}`)
    const line = `<g data-says="${says}"><path d="${way}" ${stroke}/><path class="head" d="${head}" fill="${look.colour}"/></g>`
    return [line + (link.label ? linkLabel(from, to, link.label, look.colour) : '')]
  })
}

const middle = (box: Box): { x: number; y: number } => ({ x: box.x + laneWidth / 2, y: box.y + box.height / 2 })

/** Length of an arrowhead, px; lines end where it begins. */
const headLength = 9

/** Straight down or up within a lane; between lanes level, or with one bend in the gap. Ends in an arrowhead. */
function route(from: Box, to: Box): { readonly line: string; readonly head: string } {
  const [a, b] = [middle(from), middle(to)]
  if (from.lane === to.lane) {
    const [start, end, way] = b.y > a.y ? [from.y + from.height, to.y, 1] : [from.y, to.y + to.height, -1]
    const neck = end - way * headLength
    return { line: `M${a.x},${start}V${neck}`, head: `M${a.x},${end}L${a.x - 5.5},${neck}H${a.x + 5.5}Z` }
  }
  const way = to.lane > from.lane ? 1 : -1
  const [start, end] = way > 0 ? [from.x + laneWidth, to.x] : [from.x, to.x + laneWidth]
  const neck = end - way * headLength
  const bend = start + (way * (laneGap - headLength)) / 2
  const level = Math.abs(a.y - b.y) < 1
  return {
    line: level ? `M${start},${a.y}H${neck}` : `M${start},${a.y}H${bend}V${b.y}H${neck}`,
    head: `M${end},${b.y}L${neck},${b.y - 5.5}V${b.y + 5.5}Z`,
  }
}

/** Beside an upright link; below the first box of a level one, where the row's gap is free. */
function linkLabel(from: Box, to: Box, label: string, colour: string): string {
  const look = `font-size="12" font-weight="600" fill="${colour}"`
  if (from.lane !== to.lane) return text(from.x, from.y + from.height + 18, label, look)
  const y = (Math.max(from.y, to.y) + Math.min(from.y + from.height, to.y + to.height)) / 2 + 4
  return text(from.x + laneWidth / 2 + 9, y, label, look)
}

/** Kinds are told apart by form: applications round, rules and chains in a fixed-width face, wires dashed. */
function drawBox(box: Box, accent: string): string {
  const { hop, x, y, height, label } = box
  const says = [
    hop.label,
    hop.detail ?? '',
    ...box.counters.map(
      ({ counter, value }) => `${counter.label}: ${value}${counter.unit === 'bytes' ? '' : ` ${counter.unit}`}`,
    ),
  ].filter(Boolean)
  const dashed = hop.kind === 'wire' || hop.kind === 'device' ? ' stroke-dasharray="4 3"' : ''
  const frame = `<rect x="${x}" y="${y}" width="${laneWidth}" height="${height}" rx="${hop.kind === 'application' ? 16 : 6}" fill="var(--card)" stroke="${hop.kind === 'proxy' ? accent : 'var(--line)'}" stroke-width="${hop.kind === 'proxy' ? 2 : 1.25}"${dashed}/>`
  const isRule = hop.kind === 'rule' || hop.kind === 'chain'
  const face = isRule
    ? 'font-size="11.5" font-family="ui-monospace,Menlo,Consolas,\'DejaVu Sans Mono\',monospace" fill="var(--ink)"'
    : 'font-size="12.5" font-weight="600" fill="var(--ink)"'
  const lines = label.map((line, index) => text(x + 12, y + 23 + index * labelLine, line, face))
  return `<g data-says="${attribute(says.join('\n'))}">${frame}${lines.join('')}${drawCounters(box)}</g>`
}

/** Label left, value right; the value below its label where both do not fit. */
function drawCounters({ x, y, label, counters }: Box): string {
  let line = y + 27 + label.length * labelLine
  return counters
    .map(({ counter, value, lines }) => {
      const left = text(x + 12, line, counter.label, 'font-size="11.5" fill="var(--muted)"')
      line += (lines - 1) * counterLine
      const right = text(
        x + laneWidth - 12,
        line,
        value,
        'font-size="11.5" text-anchor="end" fill="var(--ink)" font-weight="600"',
      )
      line += counterLine
      return left + right
    })
    .join('')
}
