/**
 * Sandbox `qemu`: a virtual machine, as Kata's own. With KVM it is a sandbox to measure; under emulation it only shows that
 * the device and the agent work with it.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Scope } from '../../harness/scope.ts'
import { succeeds } from '../../harness/shell.ts'
import { guestKernelFolder, staticAgent } from '../../setup/versions.mjs'
import { sandboxUid } from '../providers/local/names.ts'
import { agentConfig } from './agent-config.ts'
import { AgentGuest } from './guest.ts'
import { initramfs } from './initramfs.ts'
import { modulesOf, vsockModules } from './kernel-modules.ts'
import { privateMounts } from './private-mounts.ts'
import { bootProbe } from './probe.ts'
import type { Guest, GuestSpec, Sandbox, SandboxAvailability } from './sandbox.ts'
import { killWithHost } from './whole-tree.ts'

const program = 'qemu-system-x86_64'
const memoryMegabytes = 512

/** What the machine is made of: bus, the host's files, network. */
const machineModules = ['virtio_pci', '9pnet_virtio', '9p', 'virtio_net'] as const

const kernelFile = (): string | undefined => {
  const boot = join(guestKernelFolder, 'boot')
  const found = existsSync(boot) ? readdirSync(boot).find((name) => name.startsWith('vmlinuz-')) : undefined
  return found && join(boot, found)
}

const moduleFolder = (kernel: string): string =>
  join(guestKernelFolder, 'lib/modules', basename(kernel).replace('vmlinuz-', ''))

type Acceleration = 'kvm' | 'tcg'

function commandLine(spec: GuestSpec, by: Acceleration, kernel: string): string[] {
  const { dwelling, device, tap } = spec
  const at = (file: string): string => join(dwelling.memory, basename(file))
  const append = ['console=ttyS0', 'quiet', 'loglevel=3', 'panic=-1', 'dpb_root=root', 'dpb_config=/agent.json']
  const options: (readonly [string, string])[] = [
    ['object', `memory-backend-memfd,id=memory,size=${memoryMegabytes}M,share=on`],
    ['machine', `q35,memory-backend=memory,accel=${by}`],
    ['cpu', by === 'kvm' ? 'host' : 'max'],
    ['m', `${memoryMegabytes}M`],
    ['smp', '1'],
    ['kernel', at(kernel)],
    ['initrd', at('initramfs')],
    ['append', append.join(' ')],
    ['serial', 'stdio'],
    ['monitor', 'none'],
    ['display', 'none'],
    ['fsdev', 'local,id=root,path=/,security_model=none,readonly=on,multidevs=remap'],
    ['device', 'virtio-9p-pci,fsdev=root,mount_tag=root'],
    ['fsdev', `local,id=share,path=${dwelling.share},security_model=none`],
    ['device', 'virtio-9p-pci,fsdev=share,mount_tag=share'],
    ['chardev', `socket,id=vsock,path=${device.vhost}`],
    ['device', 'vhost-user-vsock-pci,chardev=vsock'],
    ...(tap
      ? ([
          ['netdev', `tap,id=net,ifname=${tap.tap},script=no,downscript=no`],
          ['device', `virtio-net-pci,netdev=net,mac=${tap.mac}`],
        ] as const)
      : []),
  ]
  return [program, '-nodefaults', '-no-reboot', ...options.flatMap(([name, value]) => [`-${name}`, value])]
}

async function boot(by: Acceleration, spec: GuestSpec, scope: Scope): Promise<Guest> {
  const { dwelling, host, pin, name, tap } = spec
  const kernelImage = kernelFile()
  if (!kernelImage) throw new Error('no kernel for QEMU guests')
  const names = [...machineModules, ...vsockModules, ...spec.modules]
  const initrd = join(dwelling.folder, 'initramfs')
  const config = agentConfig({
    hostname: name.replaceAll(' ', '-'),
    modules: [],
    share: { path: dwelling.share, fileSystem: '9p', options: 'trans=virtio,version=9p2000.L', source: 'share' },
    sysctls: spec.sysctls,
    ...(tap ? { interface: { ...tap, device: 'eth0' } } : {}),
  })
  const content = { init: readFileSync(staticAgent), config, modules: modulesOf(moduleFolder(kernelImage), names) }
  writeFileSync(initrd, initramfs(content))
  let kernel = ''
  const began = performance.now()
  const proc = await host.spawn({
    component: name,
    role: 'sandbox',
    prepare: privateMounts({ memory: dwelling.memory, megabytes: 128, files: [kernelImage, initrd] }),
    argv: commandLine(spec, by, kernelImage),
    pin,
    uid: sandboxUid,
    ready: /"event":\s*"ready"/,
    readyTimeoutMs: by === 'kvm' ? 20_000 : 120_000,
    onLine: (line) => {
      kernel ||= /"kernel":\s*"([^"]+)"/.exec(line)?.[1] ?? ''
    },
  })
  const bootMs = performance.now() - began
  killWithHost(proc, spec.device.proc, scope)
  return new AgentGuest(spec, { sandbox: 'qemu', kernel, bootMs, proc }, scope)
}

async function available(sandbox: Sandbox): Promise<SandboxAvailability> {
  if (!(await succeeds([program, '--version'])))
    return { ok: false, because: `${program} is not installed`, remedy: 'install it (Debian: qemu-system-x86)' }
  if (!kernelFile() || !existsSync(staticAgent))
    return { ok: false, because: 'there is no kernel for its guests', remedy: 'npm test fetches it on Debian' }
  return bootProbe(sandbox)
}

const kind = (by: Acceleration, about: string): Sandbox => {
  const sandbox: Sandbox = {
    name: 'qemu',
    about,
    versions: async () => ({ 'qemu guest kernel': basename(kernelFile() ?? '') }),
    available: () => available(sandbox),
    boot: (spec, scope) => boot(by, spec, scope),
  }
  return sandbox
}

export const qemu = kind('kvm', 'QEMU with KVM: a virtual machine')

/** For tests of the device: what it costs says nothing. */
export const emulatedQemu = kind('tcg', 'QEMU without KVM: an emulated machine, for tests of function')
