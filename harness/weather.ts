/** State of the host around a shot: steal and foreign CPU over the window, PSI before the block, spin tests beside the shot. */
import { readFileSync } from 'node:fs'
import type { Sample, Weather } from './contracts.ts'
import { nativeTool } from './native.ts'
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
    foreignShare: share('foreign_seconds'),
    throttledSeconds: host('throttled_seconds') ?? null,
  }
}

/** Milliseconds of a spin test: short enough to stand beside every shot. */
const spinMs = 10

/** Speed of each CPU beside every shot, against the fastest that it has shown in this run. */
export class SpinMeter {
  readonly #cpus: readonly number[]
  readonly #fastest = new Map<number, number>()

  constructor(cpus: readonly number[]) {
    this.#cpus = cpus
  }

  /** Spins on all CPUs at once; ratio of the slowest, 1 = as fast as ever. */
  async ratio(): Promise<number> {
    const ratios = await Promise.all(
      this.#cpus.map(async (cpu) => {
        const output = await sh([nativeTool('load'), 'spin', '--cpu', String(cpu), '--ms', String(spinMs)])
        const seen = JSON.parse(output) as { medianIterationsPerMs: number; fastestIterationsPerMs: number }
        return this.see(cpu, seen.medianIterationsPerMs, seen.fastestIterationsPerMs)
      }),
    )
    return Math.min(1, ...ratios)
  }

  /** Notes what a CPU did and compares it (pure but for the memory of the fastest). */
  see(cpu: number, median: number, fastest: number): number {
    const best = Math.max(this.#fastest.get(cpu) ?? 0, fastest)
    this.#fastest.set(cpu, best)
    return median / best
  }
}
