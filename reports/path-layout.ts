/**
 * Where the hops of a path picture stand: lanes from left to right, down to the wire and up again on the far side, so
 * that both applications are on top and what is between them reads as one way.
 */
import type { Hop, HopCounter, PathPicture } from '../harness/contracts.ts'

export const laneWidth = 177
export const laneGap = 24
/** Ground of a lane beyond its boxes; the outer lanes need it inside the drawing. */
export const laneMargin = 8
const rowGap = 30
const headHeight = 40
const boxPadding = 11
export const labelLine = 16
export const counterLine = 15
/** Characters that fit a box at the sizes used, by generous estimate: there is no font to measure with at build. */
const labelCharacters = 20
const ruleCharacters = 22
const counterCharacters = 23

/** A counter with its value; on two lines when label and value do not fit side by side. */
export interface ShownCounter {
  readonly counter: HopCounter
  readonly value: string
  readonly lines: 1 | 2
}

export interface Box {
  readonly hop: Hop
  readonly lane: number
  readonly row: number
  readonly label: readonly string[]
  readonly counters: readonly ShownCounter[]
  readonly x: number
  readonly y: number
  readonly height: number
}

export interface Layout {
  readonly lanes: readonly string[]
  readonly boxes: readonly Box[]
  readonly width: number
  readonly height: number
}

/** Breaks at spaces, and inside words that are longer than a line; at most three lines. */
export function wrap(text: string, characters = labelCharacters): string[] {
  const lines: string[] = []
  for (const word of text.split(/\s+/).flatMap((long) => long.match(new RegExp(`.{1,${characters}}`, 'gu')) ?? [])) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= characters) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines.length <= 3 ? lines : [...lines.slice(0, 2), `${(lines[2] ?? '').slice(0, characters - 1)}…`]
}

/** Row of each hop: one lower within a lane before the wire, one higher after it, level between lanes. */
function rowsOf(hops: readonly Hop[], laneOf: (hop: Hop) => number): number[] {
  const wire = hops.findIndex((hop) => hop.kind === 'wire')
  const turn = wire >= 0 ? wire : Math.floor(hops.length / 2)
  const taken = new Set<string>()
  let row = 0
  const rows = hops.map((hop, index) => {
    const step = index <= turn ? 1 : -1
    const previous = hops[index - 1]
    if (previous && laneOf(previous) === laneOf(hop)) row += step
    while (taken.has(`${laneOf(hop)}/${row}`)) row += step
    taken.add(`${laneOf(hop)}/${row}`)
    return row
  })
  const top = Math.min(...rows)
  return rows.map((value) => value - top)
}

const heightOf = (label: readonly string[], counterLines: number): number =>
  2 * boxPadding + label.length * labelLine + (counterLines > 0 ? 4 + counterLines * counterLine : 0)

const isRule = (hop: Hop): boolean => hop.kind === 'rule' || hop.kind === 'chain'

/** `shownValue` gives the text shown for a counter. */
export function layOut(picture: PathPicture, shownValue: (hop: Hop, counter: HopCounter) => string): Layout {
  const lanes = [...new Set([...picture.lanes, ...picture.hops.map((hop) => hop.lane)])]
  const laneOf = (hop: Hop) => lanes.indexOf(hop.lane)
  const rows = rowsOf(picture.hops, laneOf)
  const sized = picture.hops.map((hop, index) => {
    const label = wrap(hop.label, isRule(hop) ? ruleCharacters : labelCharacters)
    const counters = hop.counters.map((counter) => {
      const value = shownValue(hop, counter)
      return { counter, value, lines: counter.label.length + value.length > counterCharacters ? 2 : 1 } as const
    })
    const lines = counters.reduce((sum, counter) => sum + counter.lines, 0)
    return { hop, lane: laneOf(hop), row: rows[index] ?? 0, label, counters, height: heightOf(label, lines) }
  })
  const rowCount = Math.max(...rows) + 1
  const heights = Array.from({ length: rowCount }, (_, row) =>
    Math.max(...sized.filter((box) => box.row === row).map((box) => box.height), 0),
  )
  const tops = heights.map(
    (_, row) => headHeight + heights.slice(0, row).reduce((sum, height) => sum + height + rowGap, 0),
  )
  return {
    lanes,
    boxes: sized.map((box) => ({
      ...box,
      x: laneMargin + box.lane * (laneWidth + laneGap),
      y: (tops[box.row] ?? 0) + ((heights[box.row] ?? 0) - box.height) / 2,
    })),
    width: lanes.length * (laneWidth + laneGap) - laneGap + 2 * laneMargin,
    height: (tops.at(-1) ?? 0) + (heights.at(-1) ?? 0) + rowGap,
  }
}
