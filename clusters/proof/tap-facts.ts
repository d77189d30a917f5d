/** What proves that a sandboxed application's packets went through its guest's own TCP stack and the tap of its pod. */
import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import type { Fact, Observation, Place } from '../../harness/contracts.ts'
import { tcpSegments } from '../sandboxes/guest-counters.ts'
import { tapName } from '../sandboxes/networking.ts'
import type { PodSandbox } from '../sandboxes/pod-sandbox.ts'
import type { Networking } from '../sandboxes/sandbox.ts'
import { is, none, some } from './judge.ts'
import type { Probe } from './probes.ts'

/** Packets received and sent by an interface: columns 2 and 10 of /proc/net/dev behind its name. */
export function interfacePackets(text: string, name: string): { readonly received: number; readonly sent: number } {
  const line = text.split('\n').find((candidate) => candidate.trim().startsWith(`${name}:`))
  const fields = line?.split(':')[1]?.trim().split(/\s+/).map(Number) ?? []
  return { received: fields[1] ?? Number.NaN, sent: fields[9] ?? Number.NaN }
}

/** What stands between tap and eth0, in the words of `Networking`, or what was found in its place. */
async function networkState(place: Place, address: string): Promise<string> {
  const [eth0, tap, local, main] = await Promise.all([
    place.run(['tc', 'filter', 'show', 'dev', 'eth0', 'parent', 'ffff:']),
    place.run(['tc', 'filter', 'show', 'dev', tapName, 'parent', 'ffff:']),
    place.run(['ip', 'route', 'show', 'table', 'local', address]),
    place.run(['ip', 'route', 'show', `${address}/32`]),
  ])
  const redirects = (filter: string, to: string): boolean =>
    filter.includes('match 00000000/00000000') && filter.includes(`Egress Redirect to device ${to}`)
  if (redirects(eth0, tapName) && redirects(tap, 'eth0')) return 'tcfilter'
  if (eth0 + tap === '' && local === '' && main.includes(`dev ${tapName}`)) return 'l3forwarding'
  return `eth0: ${eth0 || 'no filter'}; ${tapName}: ${tap || 'no filter'}; routes: ${local}${main}`.replaceAll(
    '\n',
    ' ',
  )
}

/** `<prefix>-tap.fromGuest|toGuest` packets, `<prefix>-guest.segments`, `<prefix>-device.streams`; states of guest and network. */
export const tapProbe =
  (prefix: string, { pod, guest, device }: PodSandbox): Probe =>
  async () => {
    const [segments, streams, network] = await Promise.all([
      tcpSegments(guest).catch(() => undefined),
      device.stats().catch(() => undefined),
      networkState(pod.place, pod.address),
    ])
    if (segments === undefined || !streams) return { states: { [`${prefix}-guest.kernel`]: 'not running' } }
    const tap = interfacePackets(readFileSync(`/proc/${pod.stack.pid}/net/dev`, 'utf8'), tapName)
    return {
      counters: {
        [`${prefix}-guest.segments`]: segments,
        [`${prefix}-tap.fromGuest`]: tap.received,
        [`${prefix}-tap.toGuest`]: tap.sent,
        [`${prefix}-device.streams`]: streams.outbound.opened + streams.inbound.opened,
      },
      states: {
        [`${prefix}-guest.kernel`]: guest.kernel === release() ? 'the host’s' : 'its own',
        [`${prefix}-guest.network`]: network,
      },
    }
  }

export const tapStanding = (prefix: string, now: Observation, networking: Networking): Fact[] => [
  is(`the ${prefix} runs on another kernel than the host`, now, `${prefix}-guest.kernel`, 'its own'),
  is(`the ${prefix}’s guest is connected as ${networking} says`, now, `${prefix}-guest.network`, networking),
]

/** How the application's bytes went in and out of its guest. */
export const tapTravelled = (prefix: string, change: (key: string) => number): Fact[] => [
  some(`the ${prefix}’s traffic went through its guest’s own TCP stack and the tap`, {
    'TCP segments in the guest': change(`${prefix}-guest.segments`),
    'packets from the guest': change(`${prefix}-tap.fromGuest`),
    'packets to the guest': change(`${prefix}-tap.toGuest`),
  }),
  none(`nothing of the ${prefix} went by its vsock device`, { streams: change(`${prefix}-device.streams`) }),
]

/** tcfilter takes packets off the pod's namespace before its own stack sees one. */
export const podStackSilent = (prefix: string, change: (key: string) => number): Fact =>
  none(`the ${prefix} pod’s own TCP stack, on the host’s side, is silent`, {
    'TCP segments': change(`segments.${prefix} pod`),
  })
