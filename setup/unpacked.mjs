/** Debian packages that are unpacked into .cache and never installed: apt checks them, nothing of the system changes. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { runLogged } from './command.mjs'
import { SetupError } from './messages.mjs'
import { isDebian, readOsRelease } from './packages.mjs'

/**
 * The package that stands behind a name like linux-image-amd64, which itself holds nothing.
 * @param {string} name
 */
export async function packageBehind(name) {
  const ask = () => spawnSync('apt-cache', ['depends', '--important', name], { encoding: 'utf8' }).stdout ?? ''
  const found = (/** @type {string} */ answer) => /^\s+Depends: (\S+)$/m.exec(answer)?.[1]
  const known = found(ask())
  if (known) return known
  if (process.getuid?.() === 0) await runLogged('apt-update', ['apt-get', 'update'])
  const refreshed = found(ask())
  if (!refreshed) throw new SetupError(`apt knows no package ${name}: it is Debian’s; on Debian, apt-get update`)
  return refreshed
}

/**
 * As any user; root can refresh apt's lists where they are missing or old.
 * @param {string} name
 * @param {string} into
 */
async function download(name, into) {
  const fetch = () =>
    runLogged(`${name}-download`, ['apt-get', 'download', name], {
      cwd: into,
      missing: `apt-get is not here, and ${name} comes by it`,
    })
  await fetch().catch(async (cause) => {
    if (process.getuid?.() !== 0) throw cause
    await runLogged('apt-update', ['apt-get', 'update'])
    await fetch()
  })
}

/**
 * @param {string} name of the Debian package
 * @param {string} folder gets the content of each version below its own name, and a link `current`
 * @param {readonly string[]} [only] paths to unpack, as tar's wildcards; left out: all
 */
export async function unpack(name, folder, only = []) {
  if (!isDebian(readOsRelease()))
    throw new SetupError(`${name} comes from Debian or Ubuntu; unpack it yourself into ${join(folder, 'current')}`)
  const fresh = join(folder, 'new')
  rmSync(fresh, { recursive: true, force: true })
  mkdirSync(join(fresh, 'content'), { recursive: true })
  await download(name, fresh)
  const file = readdirSync(fresh).find((entry) => entry.endsWith('.deb'))
  if (!file) throw new SetupError(`apt-get download ${name} brought nothing; apt-get update and start again`)
  const script = 'dpkg-deb --fsys-tarfile "$0" | tar -x -C content --wildcards "$@"'
  await runLogged(`${name}-unpack`, ['sh', '-ec', script, file, ...only], { cwd: fresh })
  // file names are package_version_architecture.deb
  publish(folder, file.split('_')[1] ?? 'unknown', join(fresh, 'content'))
  rmSync(fresh, { recursive: true, force: true })
}

/**
 * Makes a version the current one in one step: a run that starts meanwhile sees the old or the new one.
 * @param {string} folder
 * @param {string} version
 * @param {string} content
 */
function publish(folder, version, content) {
  const place = join(folder, version)
  const old = join(folder, 'old')
  rmSync(old, { recursive: true, force: true })
  if (existsSync(place)) renameSync(place, old)
  renameSync(content, place)
  const link = join(folder, `link.${process.pid}`)
  symlinkSync(version, link)
  renameSync(link, join(folder, 'current'))
  rmSync(old, { recursive: true, force: true })
}
