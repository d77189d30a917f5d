/**
 * Sandbox `uml`: User Mode Linux, a kernel that is an ordinary program, so it needs no virtualization. Its root is the
 * machine's own, read-only (hostfs); it runs as an ordinary user in the pod's network namespace.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { ComponentRole } from '../../harness/contracts.ts'
import { nativeTool } from '../../harness/native.ts'
import type { Scope } from '../../harness/scope.ts'
import { umlFolder } from '../../setup/versions.mjs'
import { sandboxUid } from '../providers/local/names.ts'
import { agentConfig } from './agent-config.ts'
import type { Dwelling } from './dwelling.ts'
import { AgentGuest } from './guest.ts'
import { modulesOf, vsockModules } from './kernel-modules.ts'
import { privateMounts } from './private-mounts.ts'
import { bootProbe } from './probe.ts'
import type { Guest, GuestSpec, Sandbox } from './sandbox.ts'
import { killWithHost } from './whole-tree.ts'

const program = join(umlFolder, 'usr/bin/linux.uml')
const moduleRoot = join(umlFolder, 'usr/lib/uml/modules')

/** Memory of a guest: room for a JVM; it costs only what is used. */
const memoryMegabytes = 512

/** VIRTIO_ID_VSOCK (virtio_ids.h). */
const vsockDeviceId = 19

/** Release that the modules belong to, e.g. 6.1.176. */
const release = (): string => readdirSync(moduleRoot)[0] ?? ''

/** Modules where the sandbox's user can read them. */
function bringModules(dwelling: Dwelling, names: readonly string[]): string[] {
  const folder = join(dwelling.share, 'modules')
  mkdirSync(folder, { mode: 0o755 })
  return modulesOf(join(moduleRoot, release()), names).map(({ name, content }) => {
    const copy = join(folder, `${name}.ko`)
    writeFileSync(copy, content, { mode: 0o644 })
    return copy
  })
}

/** Command line of the kernel: every word is documented in Linux's user_mode_linux_howto_v2. */
function commandLine(spec: GuestSpec, config: string): string[] {
  const { dwelling, device, tap } = spec
  return [
    join(dwelling.memory, basename(program)),
    `mem=${memoryMegabytes}M`,
    'umid=guest',
    `uml_dir=${dwelling.memory}`,
    'root=/dev/root',
    'rootfstype=hostfs',
    'rootflags=/',
    'ro',
    `init=${dwelling.bring(nativeTool('agent'))}`,
    'con0=fd:0,fd:1',
    'con=null',
    'quiet',
    'loglevel=3',
    `virtio_uml.device=${device.vhost}:${vsockDeviceId}`,
    ...(tap ? [`vec0:transport=tap,ifname=${tap.tap},depth=128,gro=1`] : []),
    `dpb_config=${config}`,
  ]
}

async function boot(spec: GuestSpec, scope: Scope): Promise<Guest> {
  const { dwelling, host, pin, name, tap } = spec
  const text = agentConfig({
    hostname: name.replaceAll(' ', '-'),
    modules: bringModules(dwelling, [...vsockModules, ...spec.modules]),
    share: { path: dwelling.share, fileSystem: 'hostfs', options: dwelling.share, source: 'none' },
    sysctls: spec.sysctls,
    ...(tap ? { interface: { ...tap, device: 'vec0' } } : {}),
  })
  const config = join(dwelling.share, 'agent.json')
  writeFileSync(config, text, { mode: 0o644 })
  let kernel = ''
  const began = performance.now()
  const proc = await host.spawn({
    component: name,
    role: 'sandbox' satisfies ComponentRole,
    prepare: privateMounts({ memory: dwelling.memory, megabytes: memoryMegabytes + 64, files: [program] }),
    argv: commandLine(spec, config),
    pin,
    uid: sandboxUid,
    env: { TMPDIR: dwelling.memory },
    ready: /"event":\s*"ready"/,
    readyTimeoutMs: 30_000,
    onLine: (line) => {
      kernel ||= /"kernel":\s*"([^"]+)"/.exec(line)?.[1] ?? ''
    },
  })
  const bootMs = performance.now() - began
  killWithHost(proc, spec.device.proc, scope)
  return new AgentGuest(spec, { sandbox: 'uml', kernel, bootMs, proc }, scope)
}

const uml: Sandbox = {
  name: 'uml',
  about: 'User Mode Linux: a second kernel as an ordinary program, where there is no KVM',
  versions: async () => ({ 'user-mode-linux': release() }),
  available: () =>
    existsSync(program)
      ? bootProbe(uml)
      : Promise.resolve({
          ok: false,
          because: 'user-mode-linux is not here',
          remedy: 'npm run bench -- --mode kata fetches it on Debian and Ubuntu',
        }),
  boot,
}

export default uml
