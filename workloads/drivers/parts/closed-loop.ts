/** What the foreign closed-loop drivers share: which cells they fire, their payload, and how their counts are told. */
import type { Availability, Cell, Firing, Path } from '../../../harness/contracts.ts'
import { succeeds } from '../../../harness/shell.ts'

/** Foreign drivers are a second opinion on HTTP capacity; everything else is the native driver's. */
export function supportsCapacityOnly(cell: Cell, whyNotOpen: string): Availability {
  if (cell.loop === 'open') return { ok: false, because: whyNotOpen, remedy: 'use --driver native for latency' }
  if (cell.test === 'capacity' && cell.protocol === 'http' && !cell.newConnections) return { ok: true }
  return { ok: false, because: 'it fires HTTP capacity on kept connections only', remedy: 'use --driver native' }
}

export async function installed(program: string, argv: readonly string[], remedy: string): Promise<Availability> {
  if (await succeeds(argv)) return { ok: true }
  return { ok: false, because: `${program} is not installed`, remedy }
}

/** Payload of native/PROTOCOL.md: the four characters repeat, so that plaintext shows on a wire. */
export const payloadOf = (bytes: number): string => 'dpb!'.repeat(Math.ceil(bytes / 4)).slice(0, bytes)

/** As the native driver asks: an echo with a body, a bare GET without. */
export const urlOf = (target: Path['target'], cell: Cell): string =>
  `http://${target.host}:${target.httpPort}/${cell.payloadBytes > 0 ? 'echo' : ''}`

export interface Counts {
  readonly done: number
  readonly errors: Readonly<Record<string, number>>
  readonly wallSeconds: number
  readonly driverVersion: string
}

/** In a closed loop what was sent is what was answered or failed; nothing was planned beyond it. */
export function closedFiring(counts: Counts, more: Partial<Firing> = {}): Firing {
  const failed = Object.values(counts.errors).reduce((sum, count) => sum + count, 0)
  return {
    ...counts,
    planned: counts.done + failed,
    sent: counts.done + failed,
    latencyHdr: null,
    serviceHdr: null,
    latenessHdr: null,
    streamBytes: 0,
    connectionsDone: 0,
    cpuSeconds: null,
    spinSeconds: 0,
    slices: { sliceMs: 1000, p50Ns: [] },
    // requests cut off at the end and probing connections are not told by these tools
    traffic: { connections: null, requests: null, bytesSent: null, bytesReceived: null },
    ...more,
  }
}

/** Only the kinds that happened. */
export const happened = (errors: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(errors).filter(([, count]) => count > 0))
