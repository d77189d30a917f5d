/**
 * Sandboxes: a second kernel around one pod's application. Each kind is one file (`uml.ts`, `qemu.ts`); what they have in
 * common is here. A guest is a `Place` like any other: a driver or a server runs in it by the same words.
 */
import type { Availability, Pin, Place } from '../../harness/contracts.ts'
import type { Proc } from '../../harness/process.ts'
import type { Scope } from '../../harness/scope.ts'
import type { VsockDevice } from './device.ts'
import type { Dwelling } from './dwelling.ts'

/**
 * How a guest reaches its pod's network, in Kata's words (`internetworking_model`). `tcfilter`: tap and veth redirect to each
 * other before the pod's netfilter sees a packet. `l3forwarding`: the pod's namespace routes, so its rules apply. `none`: no
 * interface at all.
 */
export type Networking = 'tcfilter' | 'l3forwarding' | 'none'

/** The guest's end of the tap in its pod's namespace. */
export interface TapInterface {
  /** Name of the tap in the pod's namespace. */
  readonly tap: string
  readonly mac: string
  readonly mtuBytes: number
  /** With prefix length, e.g. `10.10.1.10/24`. */
  readonly address: string
  readonly gateway: string
}

export interface GuestSpec {
  /** Name of the place and host name, e.g. `client sandbox`. */
  readonly name: string
  /** Where the sandbox's own processes run: its pod. */
  readonly host: Pick<Place, 'spawn'>
  readonly dwelling: Dwelling
  readonly device: VsockDevice
  readonly tap?: TapInterface
  readonly sysctls: Readonly<Record<string, string>>
  /** Kernel modules by name, beside those for vsock. */
  readonly modules: readonly string[]
  /** CPUs of the sandbox and everything in it. */
  readonly pin: Pin
  /** Folder for the logs of what runs inside. */
  readonly logDir: string
}

export interface Guest extends Place {
  readonly sandbox: SandboxName
  /** Release of the guest's own kernel (`uname -r`). */
  readonly kernel: string
  /** From the start of the sandbox until its agent listened, in ms. */
  readonly bootMs: number
  /** The sandbox on the host: its end is the guest's. */
  readonly proc: Proc
  /** Content of a file inside, read by the agent without another process. */
  read(path: string): Promise<string>
  poweroff(): Promise<void>
}

export type SandboxName = 'uml' | 'qemu'

export interface Sandbox {
  readonly name: SandboxName
  readonly about: string
  /** Versions of what it is made of, for the manifest. */
  versions(): Promise<Readonly<Record<string, string>>>
  /** Boots a guest to find out; asked again, it remembers. */
  available(): Promise<SandboxAvailability>
  /** Undone by `scope`: when the guest ends, so does everything in it. */
  boot(spec: GuestSpec, scope: Scope): Promise<Guest>
}

export type SandboxAvailability =
  | (Extract<Availability, { ok: true }> & { readonly bootMs: number; readonly kernel: string })
  | Extract<Availability, { ok: false }>
