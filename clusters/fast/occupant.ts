/** A pod's application in a sandbox without a network: all its TCP goes by TSI to the pod's vsock device. */
import { chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Pin, Place } from '../../harness/contracts.ts'
import type { Scope } from '../../harness/scope.ts'
import type { DeviceSockets, Entrance } from '../ambient/enrolled.ts'
import type { SandboxedPod } from '../proof/device-facts.ts'
import type { LocalBed, Pod } from '../providers/local/bed.ts'
import { echoPorts } from '../providers/local/names.ts'
import { startDevice } from '../sandboxes/device.ts'
import { tcpSegments } from '../sandboxes/guest-counters.ts'
import { deviceName, enterSandbox, type PodSandbox, type PodSandboxPlan } from '../sandboxes/pod-sandbox.ts'
import type { Sandbox } from '../sandboxes/sandbox.ts'
import { type TsiWay, throughTsi } from './tsi.ts'

export interface OccupantSpec {
  readonly bed: LocalBed
  readonly pod: Pod
  readonly sandbox: Sandbox
  readonly way: TsiWay
  /** CPUs of the sandbox and its device. */
  readonly pin: Pin
  readonly scope: Scope
  /** Whom the device's sockets are for. */
  readonly proxyUid: number
}

export class Occupant {
  readonly pod: Pod
  /** Sockets between the device and the node proxy, or the sidecar outside. */
  readonly sockets: DeviceSockets
  readonly #spec: OccupantSpec
  #sandbox: PodSandbox | undefined

  constructor(spec: OccupantSpec) {
    this.#spec = spec
    this.pod = spec.pod
    // Each side makes its sockets in a folder of its own: the device is root's, a sidecar is not.
    const folder = (name: string): string => {
      const path = join(spec.bed.stateDir, `${spec.pod.role}-${name}`)
      mkdirSync(path, { mode: 0o711 })
      return path
    }
    const [proxy, device] = [folder('proxy-sockets'), folder('device-sockets')]
    chownSync(proxy, spec.proxyUid, spec.proxyUid)
    this.sockets = {
      outbound: join(proxy, 'outbound'),
      inbound: join(device, 'inbound'),
      inboundPorts: Object.values(echoPorts).map((port) => ({ port, socket: join(device, `inbound-${port}`) })),
    }
  }

  /** Boots on a device of its own, which reaches the proxy by Unix sockets. */
  moveIn(): Promise<void> {
    const { pod, pin, proxyUid } = this.#spec
    const { address } = pod
    return this.moveInto(async (dwelling) => {
      const spec = { component: deviceName(pod), host: pod.place, dwelling, address, pin, sockets: this.sockets }
      const device = await startDevice(spec)
      for (const { socket } of this.sockets.inboundPorts) chownSync(socket, proxyUid, proxyUid)
      return device
    })
  }

  /** Boots on a device that somebody else serves. */
  async moveInto(device: NonNullable<PodSandboxPlan['device']>): Promise<void> {
    const { bed, pod, sandbox, pin, scope } = this.#spec
    this.#sandbox = await enterSandbox({ bed, pod, sandbox, networking: 'none', pin, device }, scope)
  }

  get #inside(): PodSandbox {
    if (!this.#sandbox) throw new Error(`the ${this.pod.role} has not moved into its sandbox yet`)
    return this.#sandbox
  }

  /** Where its programs run, with their TCP moved. */
  get place(): Place {
    return throughTsi(this.#inside.guest, this.#spec.way)
  }

  /** What proof needs of it, also before it has moved in. */
  facts(entrance: Entrance): SandboxedPod {
    const inside = () => this.#inside
    const { way } = this.#spec
    return {
      pod: this.pod,
      entrance,
      get versions() {
        return { ...inside().versions, tsi: way }
      },
      device: async () => inside().device.stats(),
      guest: async () => {
        const { guest } = inside()
        return { tcpSegments: await tcpSegments(guest), kernel: guest.kernel }
      },
    }
  }
}
