/** A guest with the project's device, and the ways of moving a program in it. */
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { localBed } from '../../../clusters/providers/local/bed.ts'
import local from '../../../clusters/providers/local/provider.ts'
import { startDevice } from '../../../clusters/sandboxes/device.ts'
import type { Dwelling } from '../../../clusters/sandboxes/dwelling.ts'
import { deviceName, enterSandbox } from '../../../clusters/sandboxes/pod-sandbox.ts'
import type { Guest } from '../../../clusters/sandboxes/sandbox.ts'
import uml from '../../../clusters/sandboxes/uml.ts'
import { silent } from '../../../clusters/testing/laid-mode.ts'
import type { Place } from '../../../harness/contracts.ts'
import { nativeLibrary, nativeTool } from '../../../harness/native.ts'
import { Scope } from '../../../harness/scope.ts'
import { type Relay, startRelay } from './relay.ts'

const programs = fileURLToPath(new URL('programs', import.meta.url))

export const ways = ['supervisor', 'supervisor with preload', 'preload'] as const
export type Way = (typeof ways)[number]

export interface TestGuest {
  readonly guest: Guest
  /** On the host, with its own TCP. */
  readonly pod: Place
  readonly address: string
  readonly relay: Relay
  readonly scope: Scope
  /** Path inside the guest of a file of `programs`. */
  program(name: string): string
  /** A command with its TCP sockets moved. */
  moved(way: Way, argv: readonly string[]): string[]
}

export async function layGuest(): Promise<TestGuest> {
  const scope = new Scope('tsi test')
  const workDir = mkdtempSync(join(tmpdir(), 'dpb-test-'))
  scope.defer('logs', () => rmSync(workDir, { recursive: true, force: true }))
  const request = { runId: `test-${process.pid}`, placement: 'cross-node', workDir, seed: 1 } as const
  const bed = localBed(await local.open(request, scope, silent))
  const pod = bed.clientPod
  let inside: { relay: Relay; dwelling: Dwelling } | undefined
  const device = async (dwelling: Dwelling) => {
    const sockets = { outbound: join(dwelling.folder, 'out'), inbound: join(dwelling.folder, 'in'), inboundPorts: [] }
    inside = { relay: await startRelay({ ...sockets, address: pod.address }, scope), dwelling }
    return startDevice({
      component: deviceName(pod),
      host: pod.place,
      dwelling,
      address: pod.address,
      pin: 'driver',
      sockets,
    })
  }
  const plan = { bed, pod, sandbox: uml, networking: 'none', pin: 'driver', device } as const
  const { guest } = await enterSandbox(plan, scope)
  if (!inside) throw new Error('the sandbox did not ask for its device')
  const { relay, dwelling } = inside
  const folder = join(dwelling.share, 'programs')
  for (const name of readdirSync(programs)) copyFileSync(join(programs, name), join(folder, name))
  const [tool, library] = [dwelling.bring(nativeTool('tsi')), dwelling.bring(nativeLibrary('tsi'))]
  const moved = (way: Way, argv: readonly string[]): string[] => {
    if (way === 'preload') return ['env', `LD_PRELOAD=${library}`, ...argv]
    return way === 'supervisor' ? [tool, ...argv] : [tool, '--preload', ...argv]
  }
  return { guest, pod: pod.place, address: pod.address, relay, scope, program: (name) => join(folder, name), moved }
}
