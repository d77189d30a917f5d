/** TCP of each network stack: segments over the window; TIME_WAIT and port range, which explain connection rates. */
import { readFileSync } from 'node:fs'
import type { Sample, Stack } from '../contracts.ts'
import { defineCollector } from '../define.ts'

export interface Segments {
  readonly inbound: number
  readonly outbound: number
}

/** InSegs and OutSegs of /proc/PID/net/snmp: a line of names, then a line of values (RFC 1213 names). */
export function parseSegments(text: string): Segments {
  const [names = [], values = []] = text
    .split('\n')
    .filter((line) => line.startsWith('Tcp:'))
    .map((line) => line.split(' '))
  const value = (name: string): number => Number(values[names.indexOf(name)] ?? 0)
  return { inbound: value('InSegs'), outbound: value('OutSegs') }
}

/** Sockets in TIME_WAIT: `tw` of /proc/PID/net/sockstat. */
export const parseTimeWait = (text: string): number => Number(/^TCP:.* tw (\d+)/m.exec(text)?.[1] ?? 0)

const readStack = (stack: Stack, file: string): string => {
  try {
    return readFileSync(`/proc/${stack.pid}/net/${file}`, 'utf8')
  } catch {
    return '' // the namespace's holder is gone; the path's facts say so
  }
}

export default defineCollector({
  name: 'net',
  about: 'TCP segments in and out of each network stack, sockets in TIME_WAIT',
  async start(path) {
    const read = (): Map<string, Segments> =>
      new Map(path.stacks.map((stack) => [stack.name, parseSegments(readStack(stack, 'snmp'))]))
    let before = read()
    return {
      async window() {
        before = read()
      },
      async stop() {
        return path.stacks.flatMap((stack): Sample[] => {
          const [from, to] = [before.get(stack.name), parseSegments(readStack(stack, 'snmp'))]
          const sample = (metric: string, unit: string, value: number, source: string): Sample => ({
            component: stack.name,
            role: 'stack',
            metric,
            unit,
            value,
            source,
          })
          return [
            sample('tcp_segments_in', 'segments', to.inbound - (from?.inbound ?? 0), 'proc-net-snmp'),
            sample('tcp_segments_out', 'segments', to.outbound - (from?.outbound ?? 0), 'proc-net-snmp'),
            sample('tcp_time_wait', 'sockets', parseTimeWait(readStack(stack, 'sockstat')), 'proc-net-sockstat'),
          ]
        })
      },
    }
  },
})
