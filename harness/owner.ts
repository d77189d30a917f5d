/**
 * Who owns a lock or a run's leftovers: a process named so that neither a reused pid nor a reboot can stand in for it.
 * Start time is field 22 of /proc/PID/stat, in clock ticks since boot (proc_pid_stat(5)).
 */
import { readFileSync } from 'node:fs'

export interface Owner {
  readonly pid: number
  readonly startTicks: string
  readonly bootId: string
}

const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()

/** Start time of a live process, or undefined. The command name in parentheses may itself hold spaces. */
function startTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

/** This process. */
export function self(): Owner {
  return { pid: process.pid, startTicks: startTicks(process.pid) ?? '', bootId: bootId() }
}

/** Whether exactly that process still runs. */
export function isAlive(owner: Owner): boolean {
  return owner.bootId === bootId() && startTicks(owner.pid) === owner.startTicks
}
