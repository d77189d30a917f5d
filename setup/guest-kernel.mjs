/** What a QEMU guest is made of: Debian's kernel, and the agent as a program without libraries, for its initramfs. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runLogged } from './command.mjs'
import { SetupError } from './messages.mjs'
import { packageBehind, unpack } from './unpacked.mjs'
import { guestKernelFolder, nativeFolder, staticAgent } from './versions.mjs'

/** Kernel and the modules a guest loads; the package holds 400 MB, mostly drivers for hardware. */
const parts = [
  'vmlinuz-*',
  'kernel/net/*',
  'kernel/fs/9p/*',
  'kernel/fs/netfs/*',
  'kernel/fs/fscache/*',
  'kernel/drivers/virtio/*',
]
  .map((part) => (part.startsWith('vmlinuz') ? `./boot/${part}` : `./lib/modules/*/${part}`))
  .concat(['./lib/modules/*/kernel/drivers/net/virtio_net.ko*', './lib/modules/*/kernel/drivers/net/net_failover.ko*'])

/** The machine's own target, e.g. x86_64-unknown-linux-gnu: named, so that cargo keeps its own tools dynamic. */
function hostTarget() {
  const { stdout } = spawnSync('rustc', ['-vV'], { encoding: 'utf8' })
  const target = /^host: (\S+)$/m.exec(stdout ?? '')?.[1]
  if (!target) throw new SetupError('rustc is not installed; install Rust (Debian: rustup, or https://rustup.rs)')
  return target
}

async function buildStaticAgent() {
  const target = hostTarget()
  const build = ['cargo', 'build', '--release', '--locked', '-p', 'agent', '--target', target]
  await runLogged('static-agent', build, { cwd: nativeFolder, env: { RUSTFLAGS: '-C target-feature=+crt-static' } })
  mkdirSync(dirname(staticAgent), { recursive: true })
  copyFileSync(join(nativeFolder, 'target', target, 'release', 'dpb-agent'), staticAgent)
}

export async function makeGuestKernel() {
  await unpack(await packageBehind('linux-image-amd64'), dirname(guestKernelFolder), parts)
  await buildStaticAgent()
}
