/** A sandbox is several processes: its end is the end of all of them, and of its device, whichever comes first. */
import type { Proc } from '../../harness/process.ts'
import type { Scope } from '../../harness/scope.ts'

/** A guest whose device has died hangs without a word, so it is killed; the harness then sees its programs end. */
export function killWithHost(sandbox: Proc, device: Proc, scope: Scope): void {
  let over = false
  scope.defer(`watch over ${sandbox.name}`, () => {
    over = true
  })
  void device.exited.then(() => {
    if (!over) sandbox.kill()
  })
}
