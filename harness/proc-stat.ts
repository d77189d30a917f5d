/**
 * CPU time of the host and of every process, from /proc/stat and /proc/PID/stat (proc_stat(5), proc_pid_stat(5)),
 * in clock ticks of 10 ms (USER_HZ is 100 on every Linux architecture that Node runs on).
 */
import { readdirSync, readFileSync } from 'node:fs'

export const tickSeconds = 0.01

export interface HostCpu {
  /** user, nice, system, irq and softirq of all CPUs; guest time is part of user. */
  readonly busySeconds: number
  readonly stealSeconds: number
  readonly totalSeconds: number
}

/** First line of /proc/stat. */
export function parseHostCpu(text: string): HostCpu {
  const fields = (text.split('\n')[0] ?? '').trim().split(/\s+/).slice(1, 9).map(Number)
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = fields
  const busy = user + nice + system + irq + softirq
  return {
    busySeconds: busy * tickSeconds,
    stealSeconds: steal * tickSeconds,
    totalSeconds: (busy + idle + iowait + steal) * tickSeconds,
  }
}

export interface ProcessCpu {
  readonly parent: number
  readonly seconds: number
}

/** /proc/PID/stat: parent (field 4), utime and stime (14, 15). The name in parentheses may hold spaces. */
export function parseProcess(text: string): ProcessCpu {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { parent: Number(fields[1]), seconds: (Number(fields[11]) + Number(fields[12])) * tickSeconds }
}

export type Processes = ReadonlyMap<number, ProcessCpu>

export const readHostCpu = (): HostCpu => parseHostCpu(readFileSync('/proc/stat', 'utf8'))

/** All processes of the host; takes milliseconds. */
export function readProcesses(): Processes {
  const processes = new Map<number, ProcessCpu>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      processes.set(Number(name), parseProcess(readFileSync(`/proc/${name}/stat`, 'utf8')))
    } catch {
      // ended between the listing and the reading
    }
  }
  return processes
}

/** Kernel threads hang below kthreadd, pid 2: their time is the kernel's, not a neighbour's. */
const kthreadd = 2

/** Whose child a process is, followed up to the harness or the kernel. */
function ownerOf(pid: number, processes: Processes, harness: number): 'run' | 'kernel' | 'foreign' {
  for (let at = pid, steps = 0; at > 0 && steps < 64; steps++) {
    if (at === harness) return 'run'
    if (at === kthreadd) return 'kernel'
    at = processes.get(at)?.parent ?? 0
  }
  return 'foreign'
}

/** CPU seconds of processes that belong neither to the run nor to the kernel. A process that ended is not seen. */
export function foreignSeconds(before: Processes, after: Processes, harness: number): number {
  let seconds = 0
  for (const [pid, now] of after) {
    if (ownerOf(pid, after, harness) !== 'foreign') continue
    const then = before.get(pid)
    seconds += now.seconds - (then && then.seconds <= now.seconds ? then.seconds : 0)
  }
  return seconds
}

export const harnessSeconds = (before: Processes, after: Processes, harness: number): number =>
  (after.get(harness)?.seconds ?? 0) - (before.get(harness)?.seconds ?? 0)
