/** Resident memory of each component at the end of the window, and its peak (VmRSS, VmHWM: proc_pid_status(5)). */
import { readFileSync } from 'node:fs'
import type { Component, Sample } from '../contracts.ts'
import { defineCollector } from '../define.ts'

/** Bytes of a field of /proc/PID/status; 0 for a process without memory of its own. */
export function statusBytes(status: string, field: 'VmRSS' | 'VmHWM'): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) * 1024
}

function samplesOf(component: Component): Sample[] {
  const statuses = component.pids().flatMap((pid) => {
    try {
      return [readFileSync(`/proc/${pid}/status`, 'utf8')]
    } catch {
      return [] // ended
    }
  })
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
