/** How a guest reaches its pod's network, laid as Kata Containers 4.1 lays it (`internetworking_model`). */
import type { Place } from '../../harness/contracts.ts'
import type { Pod } from '../providers/local/bed.ts'
import { sandboxUid } from '../providers/local/names.ts'
import type { Networking, TapInterface } from './sandbox.ts'

/** Kata's name for the tap in a pod's namespace. */
export const tapName = 'tap0_kata'

/** Address of the tap in l3forwarding: link-local, so that it is nobody's. */
const tapAddress = '169.254.0.1/32'

const batch = (place: Place, lines: readonly string[]): Promise<string> =>
  place.run(['ip', '-batch', '-'], `${lines.join('\n')}\n`)

interface LinkRow {
  readonly address: string
  readonly mtu: number
}

/** The guest gets what its pod's eth0 has, down to the MAC. */
async function guestInterface(pod: Pod): Promise<TapInterface> {
  const rows = JSON.parse(await pod.place.run(['ip', '-json', 'link', 'show', 'dev', 'eth0'])) as LinkRow[]
  const eth0 = rows[0]
  if (!eth0) throw new Error(`${pod.role} pod has no eth0`)
  const { gateway } = pod.node.plan
  return { tap: tapName, mac: eth0.address, mtuBytes: eth0.mtu, address: `${pod.address}/24`, gateway }
}

/**
 * tcfilter: what arrives on either interface leaves by the other, before any of the namespace's own processing. A match-all
 * u32 in place of Kata's matchall filter: the same decision, in every kernel that has the redirect.
 */
async function layTcfilter({ place }: Pod): Promise<void> {
  const pairs = [
    ['eth0', tapName],
    [tapName, 'eth0'],
  ] as const
  const lines = pairs.flatMap(([from, to]) => [
    `qdisc add dev ${from} handle ffff: ingress`,
    `filter add dev ${from} parent ffff: protocol all u32 match u32 0 0 action mirred egress redirect dev ${to}`,
  ])
  await place.run(['tc', '-batch', '-'], `${lines.join('\n')}\n`)
}

/**
 * l3forwarding (Kata pull request 13281): the namespace routes for its guest. The pod's address is no longer local; ARP is
 * answered on both sides.
 */
async function layForwarding({ place, address }: Pod): Promise<void> {
  const settings = {
    'net.ipv4.ip_forward': 1,
    [`net.ipv4.conf.${tapName}.proxy_arp`]: 1,
    'net.ipv4.conf.eth0.proxy_arp': 1,
    'net.ipv4.conf.all.rp_filter': 0,
    [`net.ipv4.conf.${tapName}.rp_filter`]: 0,
    // not Kata's: the first questions for gateway and pod would wait for up to 0.8 s, whatever is measured then
    [`net.ipv4.neigh.${tapName}.proxy_delay`]: 0,
    'net.ipv4.neigh.eth0.proxy_delay': 0,
  }
  await place.run(['sysctl', '-q', ...Object.entries(settings).map(([name, value]) => `${name}=${value}`)])
  await batch(place, [
    `addr add ${tapAddress} dev ${tapName}`,
    `route del local ${address} dev eth0 table local`,
    `route add ${address}/32 dev ${tapName}`,
  ])
}

/** Lays the pod's side, and says what the guest's interface is; `none` has none. */
export async function layNetworking(pod: Pod, networking: Networking): Promise<TapInterface | undefined> {
  if (networking === 'none') return undefined
  const tap = await guestInterface(pod)
  await batch(pod.place, [
    `tuntap add dev ${tapName} mode tap user ${sandboxUid} vnet_hdr`,
    `link set ${tapName} mtu ${tap.mtuBytes} up`,
  ])
  await (networking === 'tcfilter' ? layTcfilter(pod) : layForwarding(pod))
  return tap
}
