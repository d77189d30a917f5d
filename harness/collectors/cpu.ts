/** CPU seconds of each component, and of the kernel: what the host was busy beyond all processes (softirq). */
import type { Component, Path, Sample } from '../contracts.ts'
import { defineCollector } from '../define.ts'
import { foreignSeconds, harnessSeconds, readCpu } from '../proc-stat.ts'

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

export default defineCollector({
  name: 'cpu',
  about: 'CPU seconds of each component, of the kernel, and of processes that are not the run’s',
  async start(path) {
    const before = { cpu: readCpu(), components: await readComponents(path) }
    return {
      async stop() {
        const after = { cpu: readCpu(), components: await readComponents(path) }
        const samples = differences(before.components, after.components)
        const own = samples.reduce((sum, sample) => sum + sample.value, 0)
        const host = (metric: string, value: number, component = 'host'): Sample => ({
          component,
          role: 'host',
          metric,
          unit: 's',
          value: Math.max(0, value),
          source: 'proc-stat',
        })
        const [from, to] = [before.cpu, after.cpu]
        const busy = to.host.busySeconds - from.host.busySeconds
        const foreign = foreignSeconds(from.processes, to.processes, process.pid)
        const harness = harnessSeconds(from.processes, to.processes, process.pid)
        return [
          ...samples,
          host('cpu_seconds', busy - own - foreign - harness, 'kernel'),
          host('busy_seconds', busy),
          host('steal_seconds', to.host.stealSeconds - from.host.stealSeconds),
          host('total_seconds', to.host.totalSeconds - from.host.totalSeconds),
          host('foreign_seconds', foreign),
          host('harness_seconds', harness),
        ]
      },
    }
  },
})
