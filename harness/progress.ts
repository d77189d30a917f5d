/** What a run says while it goes: one line per shot on stderr, or JSON lines on stdout. */
import type { Log, PlannedShot } from './contracts.ts'
import { estimateSeconds } from './plan.ts'
import { dim, red, yellow } from './terminal.ts'
import { describeWarning, type Warning } from './warnings.ts'

export interface Progress extends Log {
  /** All that is planned, so that the time left can be told. */
  plan(shots: readonly PlannedShot[]): void
  shot(shot: PlannedShot, verdict: 'valid' | 'void' | 'missing', text: string): void
  warn(warning: Warning): void
  summary(summary: Readonly<Record<string, unknown>>): void
}

const clock = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(Math.round(seconds) % 60).padStart(2, '0')}`

class TimeLeft {
  #left: PlannedShot[] = []
  plan(shots: readonly PlannedShot[]): void {
    this.#left = [...shots]
  }
  done(shot: PlannedShot): number {
    this.#left = this.#left.filter((other) => other.id !== shot.id)
    return estimateSeconds(this.#left)
  }
}

/** For people. */
export function textProgress(): Progress {
  const time = new TimeLeft()
  const say = (line: string): void => void process.stderr.write(`${line}\n`)
  return {
    step: (message) => say(message),
    detail: (message) => say(dim(message)),
    plan: (shots) => time.plan(shots),
    shot(shot, verdict, text) {
      const word = verdict === 'valid' ? verdict.padEnd(7) : red(verdict.padEnd(7))
      say(`${dim(clock(time.done(shot)))}  ${word} ${shot.id.padEnd(44)} ${text}`)
    },
    warn(warning) {
      const { message, remedy } = describeWarning(warning)
      say(yellow(`warning: ${message}; ${remedy}`))
    },
    summary() {},
  }
}

/** For machines: one JSON object per line; the last has event `summary`. */
export function jsonProgress(): Progress {
  const time = new TimeLeft()
  const say = (event: string, fields: object): void =>
    void process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`)
  return {
    step: (message) => say('step', { message }),
    detail: (message) => say('detail', { message }),
    plan: (shots) => time.plan(shots),
    shot: (shot, verdict, text) => say('shot', { shot: shot.id, verdict, text, secondsLeft: time.done(shot) }),
    warn: (warning) => say('warning', { ...warning, ...describeWarning(warning) }),
    summary: (summary) => say('summary', summary),
  }
}
