/** Clock frequency, where the kernel shows it, and throttling of the harness's own control group. */
import { readFileSync } from 'node:fs'
import type { Sample } from '../contracts.ts'
import { defineCollector } from '../define.ts'

const readOr = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** Throttled seconds of cpu.stat: `throttled_usec` in cgroup v2, `throttled_time` (ns) in v1; undefined if absent. */
export function parseThrottled(text: string): number | undefined {
  const [v2, v1] = [/^throttled_usec (\d+)$/m.exec(text)?.[1], /^throttled_time (\d+)$/m.exec(text)?.[1]]
  if (v2 !== undefined) return Number(v2) / 1e6
  return v1 === undefined ? undefined : Number(v1) / 1e9
}

const readThrottled = (): number | undefined =>
  parseThrottled(readOr('/sys/fs/cgroup/cpu.stat') || readOr('/sys/fs/cgroup/cpu/cpu.stat'))

const sample = (metric: string, unit: string, value: number, source: string): Sample => ({
  component: 'host',
  role: 'host',
  metric,
  unit,
  value,
  source,
})

export default defineCollector({
  name: 'host',
  about: 'clock frequency and CPU throttling',
  async start() {
    let before = readThrottled()
    return {
      async window() {
        before = readThrottled()
      },
      async stop() {
        const after = readThrottled()
        const kilohertz = Number(readOr('/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq'))
        return [
          ...(before === undefined || after === undefined
            ? []
            : [sample('throttled_seconds', 's', after - before, 'cgroup-cpu-stat')]),
          ...(kilohertz > 0 ? [sample('cpu_frequency_hz', 'Hz', kilohertz * 1000, 'cpufreq')] : []),
        ]
      },
    }
  },
})
