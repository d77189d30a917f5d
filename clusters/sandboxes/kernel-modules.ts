/** Which kernel modules a guest loads, from which files, and in which order. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

/** vsock over virtio, and its loopback: a moved listener is called from 127.0.0.1 by it. */
export const vsockModules = ['vmw_vsock_virtio_transport', 'vsock_loopback'] as const

/** What a guest's kernel gets beside what every guest has. */
export interface GuestKernel {
  /** By name. */
  readonly modules?: readonly string[]
  readonly sysctls?: Readonly<Record<string, string>>
}

/**
 * What istio-init's REDIRECT rules need, by the older interface (iptables-legacy). A guest of 512 MiB would track 4,096
 * connections and drop the others, closed ones of the last two minutes included; a machine's kernel tracks 262,144.
 */
export const redirectKernel: GuestKernel = {
  modules: ['iptable_nat', 'xt_tcpudp', 'xt_owner', 'xt_REDIRECT'],
  sysctls: { 'net.netfilter.nf_conntrack_max': '262144', 'net.netfilter.nf_conntrack_buckets': '262144' },
}

/** Names and modules each say `-` or `_` as they like (modprobe(8)). */
const nameOf = (file: string): string =>
  basename(file)
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_')

export interface KernelModule {
  readonly name: string
  /** Not compressed. */
  readonly content: Buffer
}

/** `depends=` of a module's .modinfo section: names, divided by commas. */
export function needsOf(content: Buffer): string[] {
  const text = /\0depends=([\w,-]*)\0/.exec(content.toString('latin1'))?.[1] ?? ''
  return text.split(',').filter(Boolean).map(nameOf)
}

/** The named and all that they need, each behind what it needs. */
export function inLoadOrder(names: readonly string[], needs: (name: string) => readonly string[]): string[] {
  const order = new Set<string>()
  const visit = (name: string): void => {
    if (order.has(name)) return
    for (const needed of needs(name)) visit(needed)
    order.add(name)
  }
  for (const name of names) visit(name)
  return [...order]
}

/** Modules of a kernel below `/lib/modules/RELEASE`, in the order of loading. Throws where one is not there. */
export function modulesOf(folder: string, names: readonly string[]): KernelModule[] {
  const files = new Map(
    readdirSync(join(folder, 'kernel'), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.ko(\.\w+)?$/.test(file))
      .map((file) => [nameOf(file), join(folder, 'kernel', file)]),
  )
  const read = new Map<string, Buffer>()
  const content = (name: string): Buffer => {
    const file = files.get(name)
    if (!file) throw new Error(`the guest’s kernel has no module ${name} in ${folder}`)
    const known = read.get(name) ?? unpacked(file)
    read.set(name, known)
    return known
  }
  return inLoadOrder(names, (name) => needsOf(content(name))).map((name) => ({ name, content: content(name) }))
}

function unpacked(file: string): Buffer {
  if (file.endsWith('.ko')) return readFileSync(file)
  const program = { xz: 'xz', gz: 'gzip', zst: 'zstd' }[file.split('.').at(-1) ?? '']
  if (!program) throw new Error(`${file}: a compression that is not known`)
  return execFileSync(program, ['-dc', file], { maxBuffer: 64 * 1024 * 1024 })
}
