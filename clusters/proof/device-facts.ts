/** What a sandbox's vsock device and its guest's kernel tell about the way of an application's connections. */
import { release } from 'node:os'
import type { Fact, Observation, Traffic } from '../../harness/contracts.ts'
import type { Entrance } from '../ambient/enrolled.ts'
import type { Pod } from '../providers/local/bed.ts'
import { is, type Numbers, none, sameBytes } from './judge.ts'
import type { Probe } from './probes.ts'

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

/** Counters of the device as `<prefix>-device.*`, of the guest as `<prefix>-guest.*`. */
export const deviceProbe =
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

type Change = (key: string) => number

const idle = (prefix: string, direction: 'outbound' | 'inbound', change: Change, claim: string): Fact => {
  const key = (name: string): number => change(`${prefix}-device.${direction}.${name}`)
  return none(claim, {
    opened: key('opened'),
    refused: key('refused'),
    'bytes from the guest': key('fromGuest'),
    'bytes to the guest': key('toGuest'),
  })
}

/** How a sandbox stands: a guest is there, and its kernel is another one. */
export const deviceStanding = (prefix: string, now: Observation): Fact[] => [
  is(`a guest is attached to the ${prefix}’s device`, now, `${prefix}-device.state`, 'a guest is attached'),
  is(`the ${prefix} runs on another kernel than the host`, now, `${prefix}-guest.kernel`, 'its own'),
]

/** What the device counted of the connections that its application opened: each must be one of the driver's. */
export const deviceCaptured = (prefix: string, change: Change) => ({
  claim: `the ${prefix}’s device took every connection of the driver, to the server’s own address`,
  counts: {
    'opened by the device': change(`${prefix}-device.outbound.opened`),
    'to the server': change(`${prefix}-device.toServer`),
  },
})

const guestWithoutTcp = (prefix: string, change: Change): Fact =>
  none(`the ${prefix}’s guest used no TCP stack`, {
    'TCP segments in the guest’s kernel': change(`${prefix}-guest.segments`),
  })

/** Facts about the device of the end that calls. */
export const deviceCalls = (prefix: string, change: Change, traffic: Traffic): Fact[] => [
  none(`the ${prefix} asked for nothing else, and was refused nothing`, {
    'other destinations': change(`${prefix}-device.elsewhere`),
    refused: change(`${prefix}-device.outbound.refused`),
  }),
  sameBytes(`the ${prefix}’s device carried what the driver sent`, traffic, {
    driver: traffic.bytesSent,
    device: change(`${prefix}-device.outbound.fromGuest`),
  }),
  sameBytes(`the ${prefix}’s device brought what the driver received`, traffic, {
    driver: traffic.bytesReceived,
    device: change(`${prefix}-device.outbound.toGuest`),
  }),
  idle(prefix, 'inbound', change, `nobody called the ${prefix}`),
  guestWithoutTcp(prefix, change),
]

/** What the device counted of the connections that it opened to its application. */
export const deviceDelivered = (prefix: string, change: Change): Numbers => ({
  'opened into the guest': change(`${prefix}-device.inbound.opened`),
})

/** Facts about the device of the end that is called; bytes are the server's own, since a proxy may rewrite HTTP heads. */
export const deviceAnswers = (prefix: string, change: Change, traffic: Traffic): Fact[] => [
  none(`no call into the ${prefix} was refused`, { refused: change(`${prefix}-device.inbound.refused`) }),
  sameBytes(`the ${prefix}’s device brought what the server received`, traffic, {
    server: change('echo.bytesReceived'),
    device: change(`${prefix}-device.inbound.toGuest`),
  }),
  sameBytes(`the ${prefix}’s device carried what the server sent`, traffic, {
    server: change('echo.bytesSent'),
    device: change(`${prefix}-device.inbound.fromGuest`),
  }),
  idle(prefix, 'outbound', change, `the ${prefix} called nobody`),
  none(`the ${prefix} asked for no address`, {
    'the server': change(`${prefix}-device.toServer`),
    others: change(`${prefix}-device.elsewhere`),
  }),
  guestWithoutTcp(prefix, change),
]
