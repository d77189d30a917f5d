/** A pod's application in a sandbox without a network: all its TCP goes by TSI to the pod's vsock device. */
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
    // A folder of their own, for both sides make sockets in it: the device is root's, a sidecar is not.
    const at = (name: string): string => join(spec.bed.stateDir, `${spec.pod.role}-${name}`)
    this.sockets = {
      outbound: at('outbound'),
      inbound: at('inbound'),
      inboundPorts: Object.values(echoPorts).map((port) => ({ port, socket: at(`inbound-${port}`) })),
    }
  }

  /** Boots on a device of its own, which reaches the proxy by Unix sockets. */
  moveIn(): Promise<void> {
    const { pod, pin } = this.#spec
    return this.moveInto((dwelling) =>
      startDevice({
        component: deviceName(pod),
        host: pod.place,
        dwelling,
        address: pod.address,
        pin,
        sockets: this.sockets,
      }),
    )
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
