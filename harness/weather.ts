/** State of the host around a shot: steal and foreign CPU over the window, PSI and spin tests around the block. */
import { readFileSync } from 'node:fs'
import type { Sample, Weather } from './contracts.ts'
import { nativeTool } from './native.ts'
import { sh } from './shell.ts'

/** What is known before a block's shots. */
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

/** Weather of a shot from the samples over its window and what was read around its block. */
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

/** Milliseconds of a spin test. */
const spinMs = 50

/** Iterations per millisecond of each CPU, one after the other. */
export async function spin(cpus: readonly number[]): Promise<number[]> {
  const speeds: number[] = []
  for (const cpu of cpus) {
    const output = await sh([nativeTool('load'), 'spin', '--cpu', String(cpu), '--ms', String(spinMs)])
    speeds.push(Number((JSON.parse(output) as { iterationsPerMs: number }).iterationsPerMs))
  }
  return speeds
}

/** The slowest CPU against its own first figure. */
export function spinRatio(first: readonly number[], now: readonly number[]): number {
  return Math.min(1, ...now.map((speed, index) => speed / (first[index] ?? speed)))
}
