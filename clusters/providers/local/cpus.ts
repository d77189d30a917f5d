/** Which CPUs the driver and the datapath get: the driver the first, the datapath all others (methodology: pinning). */
import { readFileSync } from 'node:fs'
import type { Pin } from '../../../harness/contracts.ts'

/** CPUs this process may run on, from /proc/self/status (proc_pid_status(5), `Cpus_allowed_list`: `0-3,8`). */
export function allowedCpus(status = readFileSync('/proc/self/status', 'utf8')): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '0'
  return list.split(',').flatMap((range) => {
    const [from = 0, to = from] = range.split('-').map(Number)
    return Array.from({ length: to - from + 1 }, (_, index) => from + index)
  })
}

/** CPU list in taskset's form for a pin, or undefined where pinning makes no sense (one CPU, or `none`). */
export function cpuList(pin: Pin, cpus = allowedCpus()): string | undefined {
  const [driver, ...datapath] = cpus
  if (pin === 'none' || datapath.length === 0) return undefined
  return pin === 'driver' ? String(driver) : datapath.join(',')
}

/** Worker threads of each proxy: Istio's and ztunnel's default of 2, less where the datapath has one CPU. */
export const proxyConcurrency = (cpus = allowedCpus()): number => Math.max(1, Math.min(2, cpus.length - 1))
