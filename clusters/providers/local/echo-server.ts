/** The application: dpb-echo in the server pod. Its own counters are the last word on what arrived, and from whom. */
import type { Place, Target } from '../../../harness/contracts.ts'
import { nativeTool } from '../../../harness/native.ts'
import type { Proc } from '../../../harness/process.ts'
import { JsonLines } from './json-lines.ts'
import { echoPorts } from './names.ts'

/** Cumulative counts of the echo server; `peers` counts connections by source address. */
export interface EchoStats {
  readonly connections: number
  readonly requests: number
  readonly bytesReceived: number
  readonly bytesSent: number
  readonly peers: Readonly<Record<string, number>>
}

export interface EchoServer {
  readonly proc: Proc
  readonly target: Target
  stats(): Promise<EchoStats>
}

/** Starts the echo server and waits until it listens. It runs as an ordinary user, as applications do. */
export async function startEcho(place: Place, address: string): Promise<EchoServer> {
  const lines = new JsonLines()
  const proc = await place.spawn({
    component: 'server',
    role: 'server',
    argv: [nativeTool('echo'), '--http', `0.0.0.0:${echoPorts.http}`, '--tcp', `0.0.0.0:${echoPorts.tcp}`],
    pin: 'datapath',
    uid: 1000,
    ready: /"event":\s*"ready"/,
    onLine: lines.onLine,
  })
  return {
    proc,
    target: { host: address, httpPort: echoPorts.http, tcpPort: echoPorts.tcp },
    stats: async () => (await lines.ask(proc, 'stats')) as unknown as EchoStats,
  }
}
