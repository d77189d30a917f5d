import { blocksOf, shotsOf } from '../analysis.ts'
import { type ChartInput, cellLabel, defineChart } from '../chart.ts'
import { human } from '../format.ts'
import { durationLabels, logAxis, modeColour, modeShape, names, says } from '../marks.ts'

interface Dot {
  readonly mode: string
  readonly block: number
  readonly position: number
  readonly valid: boolean
  readonly latencyNs: number
}

function dotsOf(run: ChartInput): Dot[] {
  const cell = run.headline
  if (!cell) return []
  return run.modes.flatMap((mode) =>
    shotsOf(run, mode.name, cell).flatMap((shot) => {
      const latencyNs = shot.values.get('latency_p50')
      return latencyNs === undefined || latencyNs <= 0
        ? []
        : [{ mode: mode.name, block: shot.block, position: shot.position, valid: shot.valid, latencyNs }]
    }),
  )
}

const verdict = (dot: Dot): string => (dot.valid ? 'valid' : 'void')

export default defineChart({
  name: 'blocks',
  title: 'Did the figures stay where they were?',
  question: 'p50 of every shot at the load of the answers, block after block: what drifts or scatters shows here.',
  caption:
    'One mark per shot and block; within a block the modes ran in random order, each with all its processes restarted. Hollow marks are void and enter no estimate.',
  order: 9,
  spec(run) {
    const dots = dotsOf(run)
    if (dots.length === 0) return null
    const values = dots.map((dot) => ({
      ...dot,
      latency: dot.latencyNs / 1e3,
      says: `${dot.mode}, block ${dot.block}, place ${dot.position + 1}: ${human(dot.latencyNs, 'ns')}${dot.valid ? '' : ' (void)'}`,
    }))
    const axis = logAxis(values.map(({ latency }) => latency))
    return {
      data: { values },
      width: 800,
      height: 240,
      encoding: {
        x: {
          field: 'block',
          type: 'ordinal',
          scale: { domain: blocksOf(run) },
          axis: { labelAngle: 0, title: 'block' },
        },
        xOffset: { field: 'mode', type: 'nominal', sort: names(run.modes), scale: { domain: names(run.modes) } },
        y: {
          field: 'latency',
          type: 'quantitative',
          scale: { type: 'log', domain: axis.domain, nice: false },
          axis: { title: null, values: axis.ticks, labelExpr: durationLabels },
        },
        color: modeColour(run.modes),
        shape: modeShape(run.modes),
        description: says,
      },
      layer: [
        { transform: [{ filter: 'datum.valid' }], mark: { type: 'point', filled: true, size: 85, opacity: 1 } },
        { transform: [{ filter: '!datum.valid' }], mark: { type: 'point', filled: false, size: 85, strokeWidth: 2 } },
      ],
    }
  },
  table: (run) => ({
    columns: ['block', 'mode', 'load', 'p50', 'verdict'],
    rows: [...dotsOf(run)]
      .sort((a, b) => a.block - b.block)
      .map((dot) => [
        String(dot.block),
        dot.mode,
        run.headline
          ? cellLabel(
              run.headline,
              run.cells.filter((cell) => cell.test === 'latency'),
            )
          : '',
        human(dot.latencyNs, 'ns'),
        verdict(dot),
      ]),
  }),
})
