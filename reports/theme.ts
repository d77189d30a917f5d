/**
 * One look for all charts, light and dark in one SVG: charts are drawn with stand-in colours that become CSS variables
 * afterwards, so the page's scheme colours them without drawing anything twice.
 */

/** Modes: Okabe and Ito's idea (distinct for colour-blind eyes), darkened or lightened to stand on the page's ground. */
export const modeColours = {
  light: ['#56616e', '#c4511b', '#0a6ebd', '#8b3d92', '#0a7d63', '#96700a', '#3f46b5', '#b02a54'],
  dark: ['#a8b5c3', '#ff9b63', '#62b9ff', '#df9be5', '#45d3ac', '#e9c451', '#a3a9ff', '#ff8bab'],
} as const

/** Components of a stack: calm, ordered from the kernel's grey to the proxies' strong tones. */
export const partColours = {
  light: ['#9aa5b1', '#5f7a8c', '#2f8f9d', '#d08a2e', '#7a5ea8', '#b45a6a', '#5b8c3a', '#3c4f76'],
  dark: ['#7d8996', '#9fb6c6', '#4cc0cf', '#eab55f', '#b69ae0', '#e88f9f', '#93c572', '#8fa6d6'],
} as const

/** Shapes go with the colours, so that modes are told apart without any. */
export const modeShapes = [
  'circle',
  'square',
  'triangle-up',
  'diamond',
  'cross',
  'triangle-down',
  'stroke',
  'wedge',
] as const

const digit = (index: number): string => (index % 8).toString(16)
/** Stand-ins, of a form that no theme uses; `schemeColours` turns them into variables. */
export const standIn = {
  mode: (index: number): string => `#a0000${digit(index)}`,
  part: (index: number): string => `#b0000${digit(index)}`,
  ink: '#c00001',
  muted: '#c00002',
  line: '#c00003',
  paper: '#c00004',
} as const

const variables: Readonly<Record<string, string>> = {
  '#c00001': 'var(--ink)',
  '#c00002': 'var(--muted)',
  '#c00003': 'var(--line)',
  '#c00004': 'var(--card)',
}

/** Replaces the stand-ins in drawn SVG by the page's variables. */
export const schemeColours = (svg: string): string =>
  svg.replace(/"#([abc]0000[0-9a-f])"/g, (whole, name: string) => {
    if (name.startsWith('a')) return `"var(--mode-${name.at(-1)})"`
    if (name.startsWith('b')) return `"var(--part-${name.at(-1)})"`
    return `"${variables[`#${name}`] ?? whole.slice(1, -1)}"`
  })

/** Vega's own attribute is a plain string, so that one quoted font list serves attributes and page. */
const font = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"

/** Vega-Lite configuration of every chart. */
export const theme = {
  background: 'transparent',
  font,
  padding: { left: 4, right: 12, top: 4, bottom: 4 },
  view: { stroke: 'transparent' },
  axis: {
    labelColor: standIn.muted,
    labelFontSize: 12,
    titleColor: standIn.muted,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    titlePadding: 10,
    labelPadding: 6,
    domainColor: standIn.line,
    tickColor: standIn.line,
    gridColor: standIn.line,
    ticks: false,
  },
  axisX: { grid: false },
  axisY: { grid: true, domain: false },
  header: { labelColor: standIn.ink, labelFontSize: 13, labelFontWeight: 600, labelPadding: 8, title: null },
  legend: {
    orient: 'top',
    direction: 'horizontal',
    title: null,
    labelColor: standIn.ink,
    labelFontSize: 13,
    symbolSize: 90,
    symbolStrokeWidth: 2,
    columnPadding: 22,
    labelLimit: 240,
    offset: 14,
  },
  text: { color: standIn.ink, fontSize: 12 },
} as const

const declare = (name: string, colours: readonly string[]): string =>
  colours.map((colour, index) => `--${name}-${index}:${colour}`).join(';')

/** Declarations of the palette for the page's style sheet. */
export const paletteCss = (scheme: 'light' | 'dark'): string =>
  `${declare('mode', modeColours[scheme])};${declare('part', partColours[scheme])}`
