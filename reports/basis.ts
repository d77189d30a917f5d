/** What a figure rests on, for people who are no statisticians: blocks, confidence, and what could have been seen. */
import { type ByBlock, minimalDetectableEffect, type Paired, pairByBlock } from '../harness/stats/paired.ts'
import { fewestForInterval } from '../harness/stats/summary.ts'
import { plural, significant } from './format.ts'

/** «95 % confidence, 5 blocks», or that there are too few. */
export function basisOf({ n, kind, confidence }: Pick<Paired, 'n' | 'kind' | 'confidence'>): string {
  if (kind === 'interval') return `${Math.round(confidence * 100)} % confidence, ${n} blocks`
  if (n === 1) return `only 1 valid block: a single observation, no interval below ${fewestForInterval}`
  return `only ${plural(n, 'valid block')}: the span of what was seen, no interval below ${fewestForInterval}`
}

/** A log ratio as people say it: `12 %`, or `2.3 ×` where per cents become hard to picture. */
const asChange = (logRatio: number): string => {
  const factor = Math.exp(logRatio)
  return factor < 2 ? `${significant((factor - 1) * 100, 2)} %` : `${significant(factor, 2)} ×`
}

/** «this run could have seen a p50 that differs by 12 %», with the p value where there are pairs enough for one. */
export function powerText(difference: Paired, subject: ByBlock, reference: ByBlock): string {
  if (difference.kind !== 'interval') return ''
  const pairs = pairByBlock(subject, reference).filter(([a, b]) => a > 0 && b > 0)
  const least = minimalDetectableEffect(pairs.map(([a, b]) => Math.log(a / b)))
  const seen = `this run could have seen a p50 that differs by ${asChange(least)}`
  const chance =
    difference.p === null ? '' : `; chance alone would give as much in ${significant(difference.p * 100, 2)} % of runs`
  return `${Number.isFinite(least) ? seen : ''}${chance}`
}
