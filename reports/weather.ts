/** What the host did during the run, from the record: CPU time taken by others, speed of the CPUs beside the shots. */
import { checks } from '../harness/checks/index.ts'
import { limits } from '../harness/checks/limits.ts'
import { median, quantile } from '../harness/stats/quantile.ts'
import { type Analysis, groupBy } from './analysis.ts'
import { integer, plural, significant } from './format.ts'

/** Share of the host's CPU time in a metric over the windows, in percent: median over shots and worst. */
export interface Share {
  readonly medianPercent: number
  readonly worstPercent: number
}

export function hostShare(run: Analysis, metric: 'steal_seconds' | 'foreign_seconds'): Share | null {
  const host = run.record.samples.filter((sample) => sample.component === 'host')
  const shares = [...groupBy(host, (sample) => sample.shot).values()].flatMap((samples) => {
    const seconds = (wanted: string) => samples.find((sample) => sample.metric === wanted)?.value ?? null
    const [part, total] = [seconds(metric), seconds('total_seconds')]
    return part === null || total === null || total <= 0 ? [] : [(100 * part) / total]
  })
  return shares.length === 0 ? null : { medianPercent: median(shares), worstPercent: quantile(shares, 1) }
}

/** Shots by what the spin test beside them saw, against the fastest of the run. */
export interface Spins {
  readonly shots: number
  /** Between the limits of «full speed» and «squeezed», typically beside a busy hyperthread. */
  readonly slowed: number
  readonly squeezed: number
}

/** From the numbers that the check `host-slowed` wrote down; null where the record has none. */
export function spins(run: Analysis): Spins | null {
  const percents = run.record.checks
    .filter((check) => check.code === 'host-slowed')
    .map((check) => Number.parseFloat(check.actual))
    .filter(Number.isFinite)
  const below = (ratio: number) => percents.filter((percent) => percent < ratio * 100).length
  const squeezed = below(limits.spinVoidRatio)
  return percents.length === 0
    ? null
    : { shots: percents.length, slowed: below(limits.spinNoteRatio) - squeezed, squeezed }
}

const percent = (value: number): string => `${value === 0 ? '0' : significant(value, 2)} %`

export const shareText = ({ medianPercent, worstPercent }: Share): string =>
  `${percent(medianPercent)} in the median, ${percent(worstPercent)} at worst`

export function spinText({ shots, slowed, squeezed }: Spins): string {
  const full = shots - slowed - squeezed
  const note = limits.spinNoteRatio * 100
  const least = limits.spinVoidRatio * 100
  return `at full speed (${note} % of the best or more) beside ${integer(full)} of ${plural(shots, 'shot')}, slowed beside ${integer(slowed)}, below ${least} % beside ${integer(squeezed)}`
}

/** The rule that voided most shots, in the words of its check. */
function mainCause(run: Analysis): string {
  const lost = new Set(run.shots.filter((shot) => !shot.valid).map((shot) => shot.id))
  const causes = run.record.checks.filter((check) => lost.has(check.shot) && !check.passed && check.severity === 'void')
  const [most] = [...groupBy(causes, (check) => check.code).values()].sort((a, b) => b.length - a.length)
  if (!most?.[0]) return ''
  const { code } = most[0]
  const about = checks.find((check) => check.code === code)?.about ?? code
  return `, most often because ${about} (${code}, ${plural(most.length, 'shot')})`
}

/** One line on how loud the host was. */
export function hostLine(run: Analysis): string {
  const lost = run.shots.filter((shot) => !shot.valid).length
  const share = run.shots.length > 0 ? ` (${significant((100 * lost) / run.shots.length, 2)} %)` : ''
  const spin = spins(run)
  const [steal, foreign] = [hostShare(run, 'steal_seconds'), hostShare(run, 'foreign_seconds')]
  return [
    lost === 0
      ? `no shot of ${integer(run.shots.length)} is void`
      : `${integer(lost)} of ${plural(run.shots.length, 'shot')} void${share}${mainCause(run)}`,
    spin ? `CPUs ${spinText(spin)}` : '',
    foreign ? `CPU time of other processes: ${shareText(foreign)}` : '',
    steal ? `stolen by the hypervisor: ${shareText(steal)}` : '',
  ]
    .filter(Boolean)
    .join('; ')
}
