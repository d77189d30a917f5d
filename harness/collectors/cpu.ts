/** CPU seconds of each component, and of the kernel: what the host was busy beyond all processes (softirq). */
import type { Component, Path, Sample } from '../contracts.ts'
import { defineCollector } from '../define.ts'
import { foreignSeconds, harnessSeconds, readHostCpu, readProcesses } from '../proc-stat.ts'

type Readings = Map<string, { component: Component; seconds: number; source: string }>

async function readComponents(path: Path): Promise<Readings> {
  const readings: Readings = new Map()
  await Promise.all(
    path.components.map(async (component) => {
      const reading = await component.cpu().catch(() => undefined)
      if (reading) readings.set(component.name, { component, ...reading })
    }),
  )
  return readings
}

/** Time of the components over the window; one that began within the window counts from zero. */
function differences(before: Readings, after: Readings): Sample[] {
  return [...after].map(([name, { component, seconds, source }]) => ({
    component: name,
    role: component.role,
    metric: 'cpu_seconds',
    unit: 's',
    value: Math.max(0, seconds - (before.get(name)?.seconds ?? 0)),
    source,
  }))
}

const host = (metric: string, value: number, component = 'host'): Sample => ({
  component,
  role: 'host',
  metric,
  unit: 's',
  value: Math.max(0, value),
  source: 'proc-stat',
})

export default defineCollector({
  name: 'cpu',
  about: 'CPU seconds of each component, of the kernel, and of processes that are not the run’s',
  async start(path) {
    // Reading all of /proc takes milliseconds of a core: done before the driver begins, then scaled to the window.
    const [processes, startedAt] = [readProcesses(), performance.now()]
    let from = { cpu: readHostCpu(), components: await readComponents(path), at: startedAt }
    return {
      async window() {
        from = { cpu: readHostCpu(), components: await readComponents(path), at: performance.now() }
      },
      async stop() {
        const to = { cpu: readHostCpu(), components: await readComponents(path), at: performance.now() }
        const now = readProcesses()
        const windowShare = (to.at - from.at) / (to.at - startedAt)
        const samples = differences(from.components, to.components)
        const own = samples.reduce((sum, sample) => sum + sample.value, 0)
        const busy = to.cpu.busySeconds - from.cpu.busySeconds
        const foreign = foreignSeconds(processes, now, process.pid) * windowShare
        const harness = harnessSeconds(processes, now, process.pid) * windowShare
        return [
          ...samples,
          host('cpu_seconds', busy - own - foreign - harness, 'kernel'),
          host('busy_seconds', busy),
          host('steal_seconds', to.cpu.stealSeconds - from.cpu.stealSeconds),
          host('total_seconds', to.cpu.totalSeconds - from.cpu.totalSeconds),
          host('foreign_seconds', foreign),
          host('harness_seconds', harness),
        ]
      },
    }
  },
})
