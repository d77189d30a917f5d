/** State of the host around a shot: steal and foreign CPU over the window, PSI before the block, spin tests beside the shot. */
import { readFileSync } from 'node:fs'
import { limits } from './checks/limits.ts'
import type { Sample, Weather } from './contracts.ts'
import { nativeTool } from './native.ts'
import { tickSeconds } from './proc-stat.ts'
import { sh } from './shell.ts'

/** What is known of the host beside the samples of a shot: PSI from before its block, spin tests beside it. */
export interface Sky {
  readonly cpuPressurePercent: number | null
  readonly spinRatio: number
  readonly driverFloorNs: number | null
}

/** `some avg10` of /proc/pressure/cpu in percent (kernel PSI documentation), or null. */
export function readPressure(): number | null {
  try {
    const value = /^some avg10=([\d.]+)/.exec(readFileSync('/proc/pressure/cpu', 'utf8'))?.[1]
    return value === undefined ? null : Number(value)
  } catch {
    return null
  }
}

/** Weather of a shot from the samples over its window and what was read beside it. */
export function weatherOf(samples: readonly Sample[], sky: Sky): Weather {
  const host = (metric: string): number | undefined =>
    samples.find((sample) => sample.component === 'host' && sample.metric === metric)?.value
  const total = host('total_seconds') ?? 0
  const share = (metric: string): number => (total > 0 ? (host(metric) ?? 0) / total : 0)
  return {
    ...sky,
    stealShare: share('steal_seconds'),
    tickShare: total > 0 ? tickSeconds / total : 0,
    foreignShare: share('foreign_seconds'),
    throttledSeconds: host('throttled_seconds') ?? null,
  }
}

/** Milliseconds of a spin test: short enough to stand beside every shot. */
const spinMs = 10

/** Speed of each CPU beside every shot, against the best that it has shown over a whole test in this run. */
export class SpinMeter {
  readonly #cpus: readonly number[]
  readonly #best = new Map<number, number>()

  constructor(cpus: readonly number[]) {
    this.#cpus = cpus
  }

  /** Spins on all CPUs at once; ratio of the slowest, 1 = as fast as ever. */
  async ratio(): Promise<number> {
    const ratios = await Promise.all(
      this.#cpus.map(async (cpu) => {
        const output = await sh([nativeTool('load'), 'spin', '--cpu', String(cpu), '--ms', String(spinMs)])
        return this.see(cpu, (JSON.parse(output) as { medianIterationsPerMs: number }).medianIterationsPerMs)
      }),
    )
    return Math.min(1, ...ratios)
  }

  /** Notes the speed of a CPU and compares it with its best. */
  see(cpu: number, speed: number): number {
    const best = Math.max(this.#best.get(cpu) ?? 0, speed)
    this.#best.set(cpu, best)
    return speed / best
  }
}

/**
 * Waits for a host that is not squeezed before a shot begins, within a time for the whole run. It looks at the host
 * only, never at a result, so it cannot favour a mode.
 */
export class Calm {
  readonly #spin: () => Promise<number>
  #leftMs: number

  constructor(spin: () => Promise<number>, seconds: number) {
    this.#spin = spin
    this.#leftMs = seconds * 1000
  }

  /** Spin ratio when it gave up waiting, or no longer had to. */
  async wait(signal: AbortSignal): Promise<number> {
    let ratio = await this.#spin()
    while (ratio < limits.spinVoidRatio && this.#leftMs > 0 && !signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, calmStepMs))
      this.#leftMs -= calmStepMs
      ratio = await this.#spin()
    }
    return ratio
  }
}

/** Between two looks at a busy host, ms. */
const calmStepMs = 100
