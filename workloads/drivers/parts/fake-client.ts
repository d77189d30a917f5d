/** A client place for tests: the tool's argv is replaced by a script of Node, run as a real process. */
import type { Path, SpawnSpec } from '../../../harness/contracts.ts'
import { Proc } from '../../../harness/process.ts'

/** `script` is JavaScript; what the driver wanted to start is kept in `asked`. */
export function fakeClient(script: string | null): {
  client: Path['client']
  asked: SpawnSpec[]
  started: Promise<Proc>
} {
  const asked: SpawnSpec[] = []
  let tellStarted: (proc: Proc) => void = () => {}
  const started = new Promise<Proc>((resolve) => {
    tellStarted = resolve
  })
  const client: Path['client'] = {
    name: 'client',
    async spawn(spec) {
      asked.push(spec)
      const argv = script === null ? spec.argv : [process.execPath, '-e', script]
      const proc = await Proc.start({
        name: spec.component,
        argv,
        ...(spec.onLine ? { onLine: spec.onLine } : {}),
        ...(spec.signal ? { signal: spec.signal } : {}),
      })
      tellStarted(proc)
      return proc
    },
    run: () => Promise.reject(new Error('drivers run no short commands')),
  }
  return { client, asked, started }
}
