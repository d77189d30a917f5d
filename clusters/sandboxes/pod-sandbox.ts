/** Puts a pod's application into a sandbox: device, network and guest, for whichever mode and whichever end. */
import { join } from 'node:path'
import type { Pin } from '../../harness/contracts.ts'
import type { Scope } from '../../harness/scope.ts'
import type { Entrance } from '../ambient/enrolled.ts'
import type { SandboxedPod } from '../proof/device-facts.ts'
import type { LocalBed, Pod } from '../providers/local/bed.ts'
import { podSysctls } from '../providers/local/topology.ts'
import { startDevice, type VsockDevice } from './device.ts'
import { type Dwelling, layDwelling } from './dwelling.ts'
import { tcpSegments } from './guest-counters.ts'
import type { GuestKernel } from './kernel-modules.ts'
import { layNetworking } from './networking.ts'
import type { Guest, Networking, Sandbox } from './sandbox.ts'

export interface PodSandboxPlan {
  readonly bed: LocalBed
  readonly pod: Pod
  readonly sandbox: Sandbox
  readonly networking: Networking
  readonly pin: Pin
  readonly kernel?: GuestKernel
  /** Left out: the project's device, for the agent alone. */
  readonly device?: (dwelling: Dwelling) => Promise<VsockDevice>
}

export interface PodSandbox {
  readonly pod: Pod
  readonly networking: Networking
  readonly guest: Guest
  readonly device: VsockDevice
  readonly versions: Readonly<Record<string, string>>
}

/** Component names of a pod's sandbox and of its device, in samples.csv. */
export const sandboxName = (pod: Pod): string => `${pod.role} sandbox`
export const deviceName = (pod: Pod): string => `${pod.role} sandbox device`

export async function enterSandbox(plan: PodSandboxPlan, scope: Scope): Promise<PodSandbox> {
  const { bed, pod, sandbox, networking, pin } = plan
  const dwelling = layDwelling(join(bed.stateDir, `${pod.role}-sandbox`), scope)
  const ownDevice = () =>
    startDevice({ component: deviceName(pod), host: pod.place, dwelling, address: pod.address, pin })
  const [device, tap] = await Promise.all([
    plan.device ? plan.device(dwelling) : ownDevice(),
    layNetworking(pod, networking),
  ])
  const guest = await sandbox.boot(
    {
      name: sandboxName(pod),
      host: pod.place,
      dwelling,
      device,
      sysctls: { ...podSysctls, ...plan.kernel?.sysctls },
      modules: plan.kernel?.modules ?? [],
      pin,
      logDir: bed.logDir,
      ...(tap ? { tap } : {}),
    },
    scope,
  )
  return { pod, networking, guest, device, versions: await versionsOf(plan, guest, device) }
}

async function versionsOf(plan: PodSandboxPlan, guest: Guest, device: VsockDevice): Promise<PodSandbox['versions']> {
  return {
    ...(await plan.sandbox.versions()),
    'guest kernel': guest.kernel,
    'sandbox network': plan.networking,
    'vsock device': device.version,
    [`${plan.pod.role} boot`]: `${Math.round(guest.bootMs)} ms`,
  }
}

/** The same pod as the end of a mesh that its application reaches by the device. */
export const behindDevice = ({ pod, guest, device, versions }: PodSandbox, entrance: Entrance): SandboxedPod => ({
  pod,
  entrance,
  versions,
  device: device.stats,
  guest: async () => ({ tcpSegments: await tcpSegments(guest), kernel: guest.kernel }),
})
