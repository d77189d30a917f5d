/** An initramfs in the cpio form that the kernel takes (`newc`, Documentation/driver-api/early-userspace/buffer-format.rst). */
import type { KernelModule } from './kernel-modules.ts'

/** File types and modes as in stat(2). */
const [folder, file, device] = [0o040755, 0o100755, 0o020600]

interface Entry {
  readonly path: string
  readonly mode: number
  readonly content?: Buffer
  /** Of a device node. */
  readonly major?: number
  readonly minor?: number
}

const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])

function entry({ path, mode, content = Buffer.alloc(0), major = 0, minor = 0 }: Entry, inode: number): Buffer {
  const name = Buffer.from(`${path}\0`)
  const links = 1
  const [uid, gid, time, onMajor, onMinor, checksum] = [0, 0, 0, 0, 0, 0]
  const fields = [
    inode,
    mode,
    uid,
    gid,
    links,
    time,
    content.length,
    onMajor,
    onMinor,
    major,
    minor,
    name.length,
    checksum,
  ]
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`
  return Buffer.concat([padded(Buffer.concat([Buffer.from(head), name])), padded(content)])
}

export interface InitramfsContent {
  /** Becomes /init. */
  readonly init: Buffer
  /** Becomes /agent.json. */
  readonly config: string
  /** Listed in /modules/order as the agent loads them. */
  readonly modules: readonly KernelModule[]
}

export function initramfs({ init, config, modules }: InitramfsContent): Buffer {
  const at = (name: string): string => `modules/${name}.ko`
  const entries: Entry[] = [
    ...['dev', 'proc', 'newroot', 'modules'].map((path) => ({ path, mode: folder })),
    { path: 'dev/console', mode: device, major: 5, minor: 1 },
    { path: 'init', mode: file, content: init },
    { path: 'agent.json', mode: file, content: Buffer.from(config) },
    ...modules.map(({ name, content }) => ({ path: at(name), mode: file, content })),
    { path: 'modules/order', mode: file, content: Buffer.from(modules.map(({ name }) => `/${at(name)}\n`).join('')) },
    { path: 'TRAILER!!!', mode: 0 },
  ]
  return Buffer.concat(entries.map((each, index) => entry(each, index + 1)))
}
