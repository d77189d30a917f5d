/** Ctrl-C and SIGTERM: the first ends the run in order, the second at once (children die with the harness). */
import { exitCodes } from './errors.ts'
import type { Scope } from './scope.ts'

/** A signal that aborts at the first Ctrl-C, until `scope` ends. */
export function onInterrupt(scope: Scope, say: (message: string) => void): AbortSignal {
  const controller = new AbortController()
  const handle = (): void => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted.code)
    say('stopping: finished shots and the report are kept; once more to stop at once')
    controller.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, handle)
    scope.defer(signal, () => process.off(signal, handle))
  }
  return controller.signal
}
