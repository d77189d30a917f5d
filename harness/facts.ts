/** Facts for the manifest: host, commit, version, pinning. */
import { existsSync, readFileSync } from 'node:fs'
import { arch, cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import type { HostFacts, Manifest } from '../results/manifest.ts'
import { root } from './generate.ts'
import { sh } from './shell.ts'

const readOr = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '')

function cgroup(): string {
  if (existsSync('/sys/fs/cgroup/cgroup.controllers')) return 'v2'
  return existsSync('/sys/fs/cgroup/cpuacct') ? 'v1' : 'none'
}

export function hostFacts(): HostFacts {
  const cpuinfo = readOr('/proc/cpuinfo')
  return {
    kernel: release(),
    cpuModel: cpus()[0]?.model ?? arch(),
    cpus: cpus().length,
    memoryBytes: totalmem(),
    virtualised: /^flags\s*:.*\bhypervisor\b/m.test(cpuinfo) ? 'yes' : 'not seen',
    cgroup: cgroup(),
    node: process.versions.node,
    os: /^PRETTY_NAME="?([^"\n]*)/m.exec(readOr('/etc/os-release'))?.[1] ?? 'unknown',
  }
}

/** Commit of the working tree, `-dirty` when it differs; `unknown` without git. */
export async function commit(): Promise<string> {
  try {
    const id = (await sh(['git', '-C', root, 'rev-parse', 'HEAD'])).trim()
    const changed = (await sh(['git', '-C', root, 'status', '--porcelain', '--untracked-files=no'])).trim()
    return changed ? `${id}-dirty` : id
  } catch {
    return 'unknown'
  }
}

export const version = (): string =>
  (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version

/** CPUs of driver and datapath, as the local provider pins them: the first, and all others. */
export function pinning(allowed: readonly number[]): Manifest['pinning'] {
  const [driver, ...datapath] = allowed
  if (datapath.length === 0) return { driver: 'none', datapath: 'none' }
  return { driver: String(driver), datapath: datapath.join(',') }
}
