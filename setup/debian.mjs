/** Installs missing Debian packages, after one line that says what and why. */
import { createInterface } from 'node:readline/promises'
import { runLogged } from './command.mjs'
import { SetupError, say } from './messages.mjs'
import { describeNeeds, isDebian, isInstalled, readOsRelease } from './packages.mjs'

async function agrees() {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^(y|yes|)$/i.test((await terminal.question('         go on? [Y/n] ')).trim())
  } finally {
    terminal.close()
  }
}

/**
 * @param {readonly import('./packages.mjs').Need[]} missing
 * @param {boolean} goOn without asking
 */
export async function installPackages(missing, goOn) {
  if (missing.length === 0) return
  const what = describeNeeds(missing)
  const names = [...new Set(missing.map((need) => need.package))]
  if (!isDebian(readOsRelease()))
    throw new SetupError(`missing: ${what}; this is not Debian or Ubuntu, so install them with your package manager`)
  const asRoot = process.getuid?.() === 0
  if (!asRoot && !isInstalled('sudo'))
    throw new SetupError(`missing: ${what}; as root: apt-get install ${names.join(' ')}`)
  say(`missing on this machine: ${what}; apt-get install ${names.join(' ')}${asRoot ? '' : ' (by sudo)'}`)
  if (!goOn && !(await agrees()))
    throw new SetupError(`not installed: ${names.join(' ')}; install them and start again`)
  const prefix = asRoot ? [] : goOn ? ['sudo', '-n'] : ['sudo']
  // RUNLEVEL: what is installed to be tried must not start as a service (invoke-rc.d)
  const env = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const install = [...prefix, 'apt-get', 'install', '-y', '--no-install-recommends', ...names]
  await runLogged('apt-update', [...prefix, 'apt-get', 'update'], { env })
  await runLogged('apt-install', install, { env })
}
