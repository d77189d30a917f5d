/** What a guest's own kernel has counted, read by its agent. */
import { parseSegments } from '../../harness/collectors/net.ts'
import type { Guest } from './sandbox.ts'

/** TCP segments in and out of the guest's kernel since it booted. */
export async function tcpSegments(guest: Pick<Guest, 'read'>): Promise<number> {
  const { inbound, outbound } = parseSegments(await guest.read('/proc/net/snmp'))
  return inbound + outbound
}
