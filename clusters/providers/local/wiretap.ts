/** dpb-wiretap on both ends of the wire between the pods: counts all TCP packets, those in plaintext, those of HBONE. */
import type { Place } from '../../../harness/contracts.ts'
import { nativeTool } from '../../../harness/native.ts'
import { JsonLines } from './json-lines.ts'

/** Cumulative packets; plaintext = the TCP payload begins as an application's (native/PROTOCOL.md). */
export interface WireCounts {
  readonly tcp: number
  readonly plaintext: number
  readonly hbone: number
  /** With payload, neither from nor to port 15008. */
  readonly other: number
}

export interface Wiretap {
  counts(): Promise<WireCounts>
}

/** Listens on an interface for what arrives there. */
export async function startWiretap(place: Place, networkInterface: string): Promise<Wiretap> {
  const lines = new JsonLines()
  const proc = await place.spawn({
    component: 'wiretap',
    role: 'probe',
    argv: [nativeTool('wiretap'), '--interface', networkInterface],
    pin: 'none',
    ready: /"event":\s*"ready"/,
    onLine: lines.onLine,
  })
  return { counts: async () => (await lines.ask(proc, 'read')) as unknown as WireCounts }
}
