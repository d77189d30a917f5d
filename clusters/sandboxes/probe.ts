/** Boots a guest outside of any testbed, to see whether a kind of sandbox works on this machine, and how fast. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { SpawnSpec } from '../../harness/contracts.ts'
import { BenchError } from '../../harness/errors.ts'
import { Proc } from '../../harness/process.ts'
import { Scope } from '../../harness/scope.ts'
import { claimState } from '../providers/local/leftovers.ts'
import { stateDir } from '../providers/local/names.ts'
import { startDevice } from './device.ts'
import { layDwelling } from './dwelling.ts'
import type { Guest, Sandbox, SandboxAvailability } from './sandbox.ts'

const remembered = new Map<Sandbox, Promise<SandboxAvailability>>()

/** One boot for each kind and process, however often it is asked. */
export function bootProbe(sandbox: Sandbox): Promise<SandboxAvailability> {
  const known = remembered.get(sandbox) ?? probe(sandbox)
  remembered.set(sandbox, known)
  return known
}

async function probe(sandbox: Sandbox): Promise<SandboxAvailability> {
  if (process.getuid?.() !== 0)
    return { ok: false, because: 'only root can give a sandbox its own user', remedy: 'run as root, e.g. sudo' }
  const scope = new Scope(`probe of ${sandbox.name}`)
  try {
    return await bootOnce(sandbox, scope)
  } catch (cause) {
    const because = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause)
    const remedy = cause instanceof BenchError ? cause.remedy : 'see docs/methodology.md, sandboxes'
    return { ok: false, because: `a guest does not boot: ${because}`, remedy }
  } finally {
    await scope.close()
  }
}

async function bootOnce(sandbox: Sandbox, scope: Scope): Promise<SandboxAvailability> {
  const { guest } = await bootAlone(sandbox, scope)
  const kernel = (await guest.read('/proc/sys/kernel/osrelease')).trim()
  return { ok: true, bootMs: Math.round(guest.bootMs), kernel }
}

/** A guest outside of any testbed, with a run's name of its own for what must be cleaned if nobody is left to do it. */
export async function bootAlone(sandbox: Sandbox, scope: Scope): Promise<{ guest: Guest; runId: string }> {
  const runId = `probe-${process.pid}-${sandbox.name}`
  claimState(runId)
  scope.defer(`state of ${runId}`, () => rmSync(stateDir(runId), { recursive: true, force: true }))
  const dwelling = layDwelling(join(stateDir(runId), 'sandbox'), scope)
  const host = { spawn: (spec: SpawnSpec) => spawnAlone(spec, scope) }
  const logDir = join(stateDir(runId), 'logs')
  mkdirSync(logDir)
  const device = await startDevice({ component: 'device', host, dwelling, address: '192.0.2.1', pin: 'none' })
  const spec = { name: 'probe', host, dwelling, device, sysctls: {}, modules: [], pin: 'none', logDir } as const
  return { guest: await sandbox.boot(spec, scope), runId }
}

/** In a network namespace that ends with the process. */
async function spawnAlone(spec: SpawnSpec, scope: Scope): Promise<Proc> {
  const user = spec.uid === undefined ? [] : [`--reuid=${spec.uid}`, `--regid=${spec.uid}`, '--clear-groups']
  const { ready, readyTimeoutMs, onLine, env, prepare = [] } = spec
  const proc = await Proc.start({
    name: spec.component,
    argv: ['unshare', '--net', '--', ...prepare, 'setpriv', '--pdeathsig', 'KILL', ...user, ...spec.argv],
    ...(env ? { env } : {}),
    ...(ready ? { ready } : {}),
    ...(readyTimeoutMs ? { readyTimeoutMs } : {}),
    ...(onLine ? { onLine } : {}),
  })
  scope.defer(spec.component, () => proc.stop())
  return proc
}
