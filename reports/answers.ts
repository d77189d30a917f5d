/** The first screen: one sentence per mode, from paired statistics; pure words, escaped when they become HTML. */
import { includes, type Paired, pairedDifference, pairedRatio } from '../harness/stats/paired.ts'
import { type Estimate, estimateGeometric } from '../harness/stats/summary.ts'
import type { MetricName } from '../results/columns.ts'
import { metrics } from '../results/columns.ts'
import { type Analysis, byBlock, type CellView, cellsOf, type ModeView } from './analysis.ts'
import { basisOf, powerText } from './basis.ts'
import { cellLabel } from './chart.ts'
import { estimateText, human, quantityOf, ratioText, significant, span } from './format.ts'

/** A run of words; `strong` ones carry the figures. */
export interface Words {
  readonly text: string
  readonly strong?: boolean
}

export interface Answer {
  readonly mode: ModeView
  readonly words: readonly Words[]
  /** What the figures rest on. */
  readonly basis: string
}

const say = (text: string): Words => ({ text })
const stress = (text: string): Words => ({ text, strong: true })

export const answers = (run: Analysis): Answer[] => run.modes.map((mode) => answerOf(run, mode))

function answerOf(run: Analysis, mode: ModeView): Answer {
  const cell = run.headline
  const reference = run.modes.find((other) => other.name === mode.comparedWith)
  if (!cell) return capacityAnswer(run, mode, reference)
  const at = ` at ${cellLabel(cell, cellsOf(run, 'latency'))}`
  const own = byBlock(run, mode.name, cell, 'latency_p50')
  if (own.size === 0) return { mode, words: [say(`has no valid latency shot${at}.`)], basis: 'nothing to compare' }
  if (!reference || reference.name === mode.name) return yardstick(run, mode, cell, at)
  const others = byBlock(run, reference.name, cell, 'latency_p50')
  const latency = pairedDifference(own, others)
  if (!latency) return { mode, words: [say(`shares no valid block with ${reference.name}${at}.`)], basis: 'no pairs' }
  const cpu = pairedRatio(
    byBlock(run, mode.name, cell, 'cpu_per_request'),
    byBlock(run, reference.name, cell, 'cpu_per_request'),
  )
  const basis = cpu && cpu.n !== latency.n ? `p50: ${basisOf(latency)}; CPU: ${basisOf(cpu)}` : basisOf(latency)
  return {
    mode,
    words: [
      ...latencyWords(latency),
      ...(cpu
        ? [say(' and '), ...ratioWords(cpu, 'the CPU per request', reference.name)]
        : [say(` compared with ${reference.name}`)]),
      say(`,${at}.`),
    ],
    basis: [basis, powerText(latency, own, others)].filter(Boolean).join('; '),
  }
}

function yardstick(run: Analysis, mode: ModeView, cell: CellView, at: string): Answer {
  const estimate = estimateGeometric([...byBlock(run, mode.name, cell, 'latency_p50').values()])
  const cpu = [...byBlock(run, mode.name, cell, 'cpu_per_request').values()].filter((value) => value > 0)
  return {
    mode,
    words: [
      say('answers within '),
      stress(estimateText(estimate, 'ns')),
      say(' at p50'),
      ...(cpu.length > 0
        ? [say(' for '), stress(estimateText(estimateGeometric(cpu), 's')), say(' of CPU per request')]
        : []),
      say(`,${at}. The others are compared with it.`),
    ],
    basis: basisOf(estimate),
  }
}

/** An interval wider than its centre tells the direction, hardly the size. */
const isWide = ({ centre, low, high, kind }: Estimate): boolean => kind === 'interval' && high - low > Math.abs(centre)

/** «adds 120 µs (110–131) at p50», or that no difference could be seen. */
export function latencyWords(difference: Paired): Words[] {
  const { centre, low, high, kind, n } = difference
  if (n > 1 && includes(difference, 0)) {
    const room =
      kind === 'interval'
        ? `that this run could see (± ${human((high - low) / 2, 'ns')})`
        : `to be sure of (seen ${span(human(low, 'ns'), human(high, 'ns'))})`
    return [say('shows '), stress(`no difference at p50 ${room}`)]
  }
  const verb = centre < 0 ? 'saves' : 'adds'
  const [near, far] = centre < 0 ? [-high, -low] : [low, high]
  const shown = estimateText({ ...difference, centre: Math.abs(centre), low: near, high: far }, 'ns')
  return [say(`${verb} ${isWide(difference) ? 'roughly ' : ''}`), stress(shown), say(' at p50')]
}

/** «3.10 × (2.94–3.31) the CPU per request of baseline», or that no difference could be seen. */
export function ratioWords(ratio: Paired, what: string, of: string): Words[] {
  if (ratio.n > 1 && includes(ratio, 1)) {
    const half = ((ratio.high - ratio.low) / 2) * 100
    const room =
      ratio.kind === 'interval'
        ? `that this run could see (± ${significant(half, 2)} %)`
        : `to be sure of (seen ${span(significant(ratio.low), significant(ratio.high))} ×)`
    return [stress(`no difference in ${what.replace(/^the /, '')} ${room}`), say(` from ${of}`)]
  }
  return [say('takes '), stress(ratioText(ratio)), say(` ${what} of ${of}`)]
}

const closedMetrics = [
  { test: 'capacity', metric: 'throughput', what: 'requests per second' },
  { test: 'rr', metric: 'throughput', what: 'round trips per second' },
  { test: 'crr', metric: 'connections_per_second', what: 'new connections per second' },
  { test: 'stream', metric: 'stream_up', what: 'stream rate up' },
  { test: 'stream', metric: 'stream_down', what: 'stream rate down' },
] as const satisfies readonly { test: string; metric: MetricName; what: string }[]

/** For runs without a latency test: the first closed-loop figure there is. */
function capacityAnswer(run: Analysis, mode: ModeView, reference: ModeView | undefined): Answer {
  for (const { test, metric, what } of closedMetrics)
    for (const cell of cellsOf(run, test)) {
      const own = byBlock(run, mode.name, cell, metric)
      if (own.size === 0) continue
      const estimate = estimateGeometric([...own.values()])
      if (!reference || reference.name === mode.name)
        return {
          mode,
          words: [
            say('reaches '),
            stress(estimateText(estimate, quantityOf(metrics[metric].unit))),
            say(` (${what}).`),
          ],
          basis: basisOf(estimate),
        }
      const ratio = pairedRatio(own, byBlock(run, reference.name, cell, metric))
      if (ratio)
        return { mode, words: [...ratioWords(ratio, `the ${what}`, reference.name), say('.')], basis: basisOf(ratio) }
    }
  return { mode, words: [say('has no valid shot.')], basis: 'nothing to compare' }
}
