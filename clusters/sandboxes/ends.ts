/** Which ends of a mode are in sandboxes, and putting them there. */
import type { Chosen, Place, Sandboxed, Settings } from '../../harness/contracts.ts'
import type { Scope } from '../../harness/scope.ts'
import type { LocalBed, Pod } from '../providers/local/bed.ts'
import { chooseSandbox } from './choice.ts'
import type { GuestKernel } from './kernel-modules.ts'
import { nodePin } from './pinning.ts'
import { enterSandbox, type PodSandbox } from './pod-sandbox.ts'
import type { Networking, SandboxName } from './sandbox.ts'

/** Settings of a mode whose applications can be in sandboxes; the client by default. */
export const sandboxedSetting = { sandboxed: ['client', 'server', 'both'] } as const satisfies Settings

export const sandboxedEnds = (chosen: Chosen | undefined): Exclude<Sandboxed, 'none'> =>
  (chosen?.sandboxed ?? 'client') as Exclude<Sandboxed, 'none'>

export interface SandboxedEnds {
  readonly sandbox: SandboxName
  readonly ends: Sandboxed
  readonly client?: PodSandbox
  readonly server?: PodSandbox
  /** Where the driver runs. */
  readonly driver: Place
}

/** Boots a guest for each end that has one; a server in a sandbox is started anew in it. */
export async function sandboxEnds(
  bed: LocalBed,
  ends: Exclude<Sandboxed, 'none'>,
  networking: Networking,
  scope: Scope,
  kernel: GuestKernel = {},
): Promise<SandboxedEnds> {
  const sandbox = await chooseSandbox()
  const enter = (pod: Pod, role: 'client' | 'server'): Promise<PodSandbox | undefined> =>
    ends === role || ends === 'both'
      ? enterSandbox({ bed, pod, sandbox, networking, kernel, pin: nodePin(bed, pod.node, ends) }, scope)
      : Promise.resolve(undefined)
  const [client, server] = await Promise.all([enter(bed.clientPod, 'client'), enter(bed.serverPod, 'server')])
  if (server) await bed.moveServer(server.guest)
  return {
    sandbox: sandbox.name,
    ends,
    driver: client?.guest ?? bed.client,
    ...(client ? { client } : {}),
    ...(server ? { server } : {}),
  }
}
