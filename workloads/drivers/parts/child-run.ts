/** One run of a load tool in the client's place: its lines, its end, and what to say when it ends badly. */
import type { FireHooks, Path } from '../../../harness/contracts.ts'
import { BenchError } from '../../../harness/errors.ts'

export interface ToolRun {
  readonly driver: string
  readonly argv: readonly string[]
  readonly onLine?: (line: string) => void
}

/** Standard output of the tool once it has ended well; rejects with BenchError `interrupted` or `failed`. */
export async function runTool(client: Path['client'], run: ToolRun, hooks: FireHooks): Promise<string> {
  throwIfAborted(run.driver, hooks.signal)
  const lines: string[] = []
  const proc = await client.spawn({
    component: 'client',
    role: 'client',
    argv: run.argv,
    pin: 'driver',
    signal: hooks.signal,
    onLine: (line) => {
      lines.push(line)
      run.onLine?.(line)
    },
  })
  // the signal may have come while the process was being started, before anyone listened for it
  if (hooks.signal.aborted) await proc.stop()
  const exit = await proc.exited
  throwIfAborted(run.driver, hooks.signal)
  if (exit.code !== 0) throw died(run.driver, `ended with ${exit.code ?? exit.signal}`, proc.tail)
  return lines.join('\n')
}

export function died(driver: string, how: string, tail: string): BenchError {
  const last = tail.split('\n').slice(-3).join(' | ')
  return new BenchError('failed', `driver ${driver} ${how}${last ? `: ${last}` : ''}`, 'run npm run doctor')
}

function throwIfAborted(driver: string, signal: AbortSignal): void {
  if (signal.aborted) throw new BenchError('interrupted', `driver ${driver} was stopped`, '')
}
