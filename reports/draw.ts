/** A Vega-Lite spec to SVG text. Vega is loaded when the first chart is drawn, because loading it takes half a second. */
import { schemeColours, theme } from './theme.ts'

export interface Drawn {
  readonly svg: string
  readonly width: number
}

export async function draw(spec: object): Promise<Drawn> {
  const [vega, vegaLite] = await Promise.all([import('vega'), import('vega-lite')])
  const full = { $schema: 'https://vega.github.io/schema/vega-lite/v6.json', ...spec, config: theme }
  const compiled = vegaLite.compile(full as Parameters<typeof vegaLite.compile>[0], { logger: quiet(vega) })
  const view = new vega.View(vega.parse(compiled.spec), { renderer: 'none', logger: quiet(vega) })
  try {
    const svg = await view.toSVG()
    return { svg: dress(svg), width: Number(/width="([\d.]+)"/.exec(svg)?.[1] ?? 0) }
  } finally {
    view.finalize()
  }
}

/** Warnings of the drawing library become errors: a chart with a misspelt field must not look like an empty one. */
function quiet(vega: typeof import('vega')) {
  const logger = vega.logger(vega.Error)
  const refuse = (...messages: readonly unknown[]): never => {
    throw new Error(`chart: ${messages.join(' ')}`)
  }
  logger.warn = refuse
  logger.error = refuse
  return logger
}

/** The page's colours, and a picture for screen readers as a whole: its figures stand in the table below it. */
const dress = (svg: string): string =>
  schemeColours(svg)
    .replace(/<svg /, '<svg aria-hidden="true" focusable="false" ')
    .replace(/ aria-roledescription="[^"]*"/g, '')
    .replace(/ role="graphics-(?:symbol|object|document)"/g, '')
    // Words of marks stay as data for the hover script; axes and legends need none.
    .replace(/ aria-label="(?:[^"]*-axis[^"]*|Symbol legend[^"]*|[^"]*for a discrete scale[^"]*)"/g, '')
    .replace(/ aria-label=/g, ' data-says=')
