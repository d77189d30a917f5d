/** Which sandbox a mode gets: the first kind that boots on this machine. */
import type { Availability } from '../../harness/contracts.ts'
import { qemu } from './qemu.ts'
import type { Sandbox } from './sandbox.ts'
import uml from './uml.ts'

/** Best first. */
export const sandboxes: readonly Sandbox[] = [qemu, uml]

/** The sandbox of this machine; throws where none boots (modes ask `sandboxAvailable` first). */
export async function chooseSandbox(): Promise<Sandbox> {
  for (const kind of sandboxes) if ((await kind.available()).ok) return kind
  throw new Error('no sandbox boots on this machine')
}

/** Why there is none, in the words of the last kind tried. */
export async function sandboxAvailable(): Promise<Availability> {
  let last: Availability = { ok: false, because: 'no kind of sandbox is known', remedy: '' }
  for (const kind of sandboxes) {
    last = await kind.available()
    if (last.ok) return { ok: true }
  }
  return last
}
