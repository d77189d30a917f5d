/** The mode's colour and shape beside its name, as in the charts. */
import type { ModeView } from './analysis.ts'
import { type Html, raw } from './html.ts'

/** Shapes in the order of `modeShapes` of the theme, in a 14 × 14 box. */
const outlines = [
  '<circle cx="7" cy="7" r="5"/>',
  '<rect x="2.5" y="2.5" width="9" height="9"/>',
  '<path d="M7 1.5 13 12H1z"/>',
  '<path d="M7 .8 12 7 7 13.2 2 7z"/>',
  '<path d="M5 1h4v4h4v4H9v4H5V9H1V5h4z"/>',
  '<path d="M7 12.5 1 2h12z"/>',
  '<rect x="1" y="5.5" width="12" height="3"/>',
  '<path d="M7 1l3.5 12h-7z"/>',
] as const

export const modeMark = ({ index }: ModeView): Html =>
  raw(
    `<svg class="mark" width="14" height="14" viewBox="0 0 14 14" aria-hidden="true" focusable="false" fill="var(--mode-${index % 8})">${outlines[index % 8] ?? ''}</svg>`,
  )
