/** The process behind a guest's vsock device, and the project's own one: dpb-vsock-tsi (native/PROTOCOL.md). */
import { chownSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pin, Place } from '../../harness/contracts.ts'
import { nativeTool } from '../../harness/native.ts'
import type { Proc } from '../../harness/process.ts'
import type { DeviceSockets } from '../ambient/enrolled.ts'
import type { DeviceStats } from '../proof/device-facts.ts'
import { JsonLines } from '../providers/local/json-lines.ts'
import { sandboxUid } from '../providers/local/names.ts'
import type { Dwelling } from './dwelling.ts'

export interface VsockDevice {
  /** Its end is the guest's: streams would hang without a word. */
  readonly proc: Proc
  readonly version: string
  /** vhost-user socket, which the sandbox's user may connect to. */
  readonly vhost: string
  /** Unix socket for the harness: `CONNECT <port>`. */
  readonly hybrid: string
  stats(): Promise<DeviceStats>
}

/** A guest in the configuration of dpb-vsock-tsi and dpb-fused. */
export interface DeviceGuest {
  readonly name: string
  readonly cid: number
  readonly address: string
  readonly devices: readonly { readonly socket: string; readonly services: readonly string[] }[]
  readonly hybrid: string
}

/** CIDs are numbers of one device process, not of the host; each process here serves one guest. */
const guestCid = 3

/** Paths of a guest's sockets, and its entry in the device's configuration; `address` is its pod's. */
export function deviceGuest(dwelling: Dwelling, address: string): DeviceGuest {
  const at = (name: string): string => join(dwelling.folder, name)
  return {
    name: 'guest',
    cid: guestCid,
    address,
    devices: [{ socket: at('vhost'), services: ['agent', 'tsi'] }],
    hybrid: at('hybrid'),
  }
}

/** Lets the sandbox's user connect to the device: call it when the device has said that it is ready. */
export function admitSandbox(guest: DeviceGuest): void {
  for (const { socket } of guest.devices) chownSync(socket, sandboxUid, sandboxUid)
}

export interface DeviceSpec {
  readonly component: string
  readonly host: Pick<Place, 'spawn'>
  readonly dwelling: Dwelling
  readonly address: string
  readonly pin: Pin
  /** Where the application's connections go; left out: nowhere, the device serves the agent alone. */
  readonly sockets?: DeviceSockets
}

/** Starts dpb-vsock-tsi for one guest. */
export async function startDevice(spec: DeviceSpec): Promise<VsockDevice> {
  const guest = deviceGuest(spec.dwelling, spec.address)
  const file = join(spec.dwelling.folder, 'device.json')
  await writeFile(file, JSON.stringify({ guests: [{ ...guest, ...spec.sockets }] }, null, 1), { mode: 0o600 })
  const lines = new JsonLines()
  let version = ''
  const proc = await spec.host.spawn({
    component: spec.component,
    role: 'sandbox',
    argv: [nativeTool('vsock-tsi'), '--config', file],
    pin: spec.pin,
    ready: /"event":\s*"ready"/,
    onLine: (line) => {
      version ||= /"version":\s*"([^"]+)"/.exec(line)?.[1] ?? ''
      if (!line.includes('"guest-gone"')) lines.onLine(line)
    },
  })
  admitSandbox(guest)
  const stats = async (): Promise<DeviceStats> => {
    const answer = (await lines.ask(proc, 'stats')) as { guests: Record<string, DeviceStats> }
    const own = answer.guests[guest.name]
    if (!own) throw new Error(`the device does not know ${guest.name}`)
    return own
  }
  return { proc, version, vhost: guest.devices[0]?.socket ?? '', hybrid: guest.hybrid, stats }
}
