/**
 * A sandboxed pod whose application's connections come by TSI: guest → vsock device → node proxy. Nothing of it uses the
 * pod's network, so the node holds the pod's address, and no TCP segment may show in the guest or in the pod's namespace.
 */
import { release } from 'node:os'
import type { Fact } from '../../harness/contracts.ts'
import { ambientPorts } from '../netfilter/istio-ambient.ts'
import { is, none, sameBytes } from '../proof/judge.ts'
import { listenersProbe, noRulesProbe, type Probe, socketCountProbe } from '../proof/probes.ts'
import { type LocalBed, nodeStack, type Pod } from '../providers/local/bed.ts'
import type { Change, MeshEnd } from './end.ts'
import type { Entrance } from './enrolled.ts'

/** Streams of one direction in the device's statistics (native/PROTOCOL.md, dpb-vsock-tsi). */
interface Flow {
  readonly opened: number
  readonly refused: number
  readonly bytesFromGuest: number
  readonly bytesToGuest: number
}

export interface DeviceStats {
  readonly outbound: Flow
  readonly inbound: Flow
  readonly packetsFromGuest: number
  readonly packetsToGuest: number
  readonly destinations: Readonly<Record<string, { readonly opened: number }>>
  readonly inboundPorts: Readonly<Record<string, { readonly opened: number }>>
  readonly connected: boolean
  readonly closed: string | null
}

/** What proof needs of a sandboxed application's pod. */
export interface SandboxedPod {
  readonly pod: Pod
  readonly entrance: Entrance
  readonly versions: Readonly<Record<string, string>>
  device(): Promise<DeviceStats>
  /** TCP segments that the guest's own kernel has seen, and its release (`uname -r`). */
  guest(): Promise<{ readonly tcpSegments: number; readonly kernel: string }>
}

/** Where the application's calls must go: the server's address and ports. */
export interface Destination {
  readonly address: string
  readonly ports: readonly number[]
}

/** What a pod without anything on its network shows: its own segments, from the bed's segment counters. */
const podSegments = (pod: Pod): string => `segments.${pod.stack.name}`

/** Counters of the device as `<prefix>-device.*`, of the guest as `<prefix>-guest.*`. */
const deviceProbe =
  (prefix: string, { device, guest }: SandboxedPod, { address, ports }: Destination): Probe =>
  async () => {
    const [seen, inside] = await Promise.all([device().catch(() => undefined), guest().catch(() => undefined)])
    if (!seen || !inside) return { states: { [`${prefix}-device.state`]: 'not running' } }
    const asked = Object.entries(seen.destinations).map(([name, { opened }]) => ({
      opened,
      expected: ports.some((port) => name === `${address}:${port}`),
    }))
    const sum = (expected: boolean): number =>
      asked.reduce((total, one) => total + (one.expected === expected ? one.opened : 0), 0)
    const flow = (name: 'outbound' | 'inbound') => ({
      [`${prefix}-device.${name}.opened`]: seen[name].opened,
      [`${prefix}-device.${name}.refused`]: seen[name].refused,
      [`${prefix}-device.${name}.fromGuest`]: seen[name].bytesFromGuest,
      [`${prefix}-device.${name}.toGuest`]: seen[name].bytesToGuest,
    })
    return {
      counters: {
        ...flow('outbound'),
        ...flow('inbound'),
        [`${prefix}-device.toServer`]: sum(true),
        [`${prefix}-device.elsewhere`]: sum(false),
        [`${prefix}-guest.segments`]: inside.tcpSegments,
      },
      states: {
        [`${prefix}-device.state`]: seen.closed ?? (seen.connected ? 'a guest is attached' : 'no guest'),
        [`${prefix}-guest.kernel`]: inside.kernel === release() ? 'the host’s' : 'its own',
      },
    }
  }

/** The pod's own network stays unused, so that its address can be the node's, where HBONE begins and ends. */
async function giveAddressToNode(pod: Pod): Promise<void> {
  await pod.place.run(['ip', 'addr', 'flush', 'dev', 'eth0'])
  await pod.node.place.run(['ip', 'addr', 'add', `${pod.address}/32`, 'dev', 'lo'])
}

export function deviceEnd(bed: LocalBed, sandboxed: SandboxedPod, destination: Destination): MeshEnd {
  const { pod } = sandboxed
  const prefix = pod.role
  const device = `${prefix}-device`
  const idle = (change: Change, direction: 'outbound' | 'inbound', claim: string): Fact =>
    none(claim, {
      opened: change(`${device}.${direction}.opened`),
      refused: change(`${device}.${direction}.refused`),
      'bytes from the guest': change(`${device}.${direction}.fromGuest`),
      'bytes to the guest': change(`${device}.${direction}.toGuest`),
    })
  const noStack = (change: Change): Fact =>
    none(`no TCP stack between the ${prefix} and its node proxy: no segment in the guest or in the pod`, {
      'TCP segments in the guest’s kernel': change(`${prefix}-guest.segments`),
      'in the pod’s namespace': change(podSegments(pod)),
    })
  return {
    pod,
    prefix,
    entrance: sandboxed.entrance,
    versions: sandboxed.versions,
    lay: () => giveAddressToNode(pod),
    probes: (proxy) => [
      deviceProbe(prefix, sandboxed, destination),
      noRulesProbe(prefix, pod.place),
      socketCountProbe(prefix, pod.stack),
      listenersProbe(prefix, nodeStack(bed, pod.node), () => proxy.proc.pid, [ambientPorts.inboundHbone]),
    ],
    standing: (now) => [
      is(`a guest is attached to the ${prefix}’s device`, now, `${device}.state`, 'a guest is attached'),
      is(`the ${prefix} runs on another kernel than the host`, now, `${prefix}-guest.kernel`, 'its own'),
      is(`no rule in the ${prefix} pod`, now, `${prefix}.rules`, ''),
      none(`no TCP socket in the ${prefix} pod`, { sockets: now.counters[`${prefix}.sockets`] ?? Number.NaN }),
      is(`15008 of the ${prefix} belongs to the node proxy`, now, `${prefix}.listeners`, 'held'),
    ],
    captured: (change) => ({
      claim: `the ${prefix}’s device took every connection of the driver, to the server’s own address`,
      counts: {
        'opened by the device': change(`${device}.outbound.opened`),
        'to the server': change(`${device}.toServer`),
      },
    }),
    calls: (change, traffic) => [
      none(`the ${prefix} asked for nothing else, and was refused nothing`, {
        'other destinations': change(`${device}.elsewhere`),
        refused: change(`${device}.outbound.refused`),
      }),
      sameBytes(`the ${prefix}’s device carried what the driver sent`, traffic, {
        driver: traffic.bytesSent,
        device: change(`${device}.outbound.fromGuest`),
      }),
      sameBytes(`the ${prefix}’s device brought what the driver received`, traffic, {
        driver: traffic.bytesReceived,
        device: change(`${device}.outbound.toGuest`),
      }),
      idle(change, 'inbound', `nobody called the ${prefix}`),
      noStack(change),
    ],
    delivered: (change) => ({ 'opened into the guest': change(`${device}.inbound.opened`) }),
    answers: (change, traffic) => [
      none(`no call into the ${prefix} was refused`, { refused: change(`${device}.inbound.refused`) }),
      sameBytes(`the ${prefix}’s device brought what the driver sent`, traffic, {
        driver: traffic.bytesSent,
        device: change(`${device}.inbound.toGuest`),
      }),
      sameBytes(`the ${prefix}’s device carried what the driver received`, traffic, {
        driver: traffic.bytesReceived,
        device: change(`${device}.inbound.fromGuest`),
      }),
      idle(change, 'outbound', `the ${prefix} called nobody`),
      none(`the ${prefix} asked for no address`, {
        'the server': change(`${device}.toServer`),
        others: change(`${device}.elsewhere`),
      }),
      noStack(change),
    ],
  }
}
