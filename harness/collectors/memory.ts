/** Resident memory of each component at the end of the window, and its peak (VmRSS, VmHWM: proc_pid_status(5)). */
import { readFileSync } from 'node:fs'
import type { Component, Sample } from '../contracts.ts'
import { defineCollector } from '../define.ts'

/** Bytes of a field of /proc/PID/status; 0 for a process without memory of its own. */
export function statusBytes(status: string, field: 'VmRSS' | 'VmHWM'): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) * 1024
}

/**
 * What tells one address space from another: where its parts begin (proc_pid_stat(5), fields 26 to 28 and 45 to 51) and how
 * large they are. Processes that share one (clone(2), CLONE_VM: the helpers of a User Mode Linux guest) agree in all of it.
 */
export function addressSpace(stat: string, status: string): string {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return [...fields.slice(23, 26), ...fields.slice(42, 49), ...(status.match(/^(Vm|Rss)\w+:.*$/gm) ?? [])].join(' ')
}

/** Status of each process, of those with one address space only one. */
function statusesOf(pids: readonly number[]): string[] {
  const seen = new Map<string, string>()
  for (const pid of pids) {
    try {
      const [stat, status] = ['stat', 'status'].map((name) => readFileSync(`/proc/${pid}/${name}`, 'utf8'))
      seen.set(addressSpace(stat ?? '', status ?? ''), status ?? '')
    } catch {
      // ended
    }
  }
  return [...seen.values()]
}

function samplesOf(component: Component): Sample[] {
  const statuses = statusesOf(component.pids())
  const sample = (metric: string, field: 'VmRSS' | 'VmHWM'): Sample => ({
    component: component.name,
    role: component.role,
    metric,
    unit: 'bytes',
    value: statuses.reduce((sum, status) => sum + statusBytes(status, field), 0),
    source: 'proc',
  })
  return statuses.length > 0 ? [sample('memory_bytes', 'VmRSS'), sample('memory_peak_bytes', 'VmHWM')] : []
}

export default defineCollector({
  name: 'memory',
  about: 'resident memory of each component at the end of the window, and its peak',
  start: async (path) => ({ window: async () => {}, stop: async () => path.components.flatMap(samplesOf) }),
})
