/** A tool that answers lines on stdin with JSON lines on stdout (native/PROTOCOL.md): one question at a time. */
import { BenchError } from '../../../harness/errors.ts'
import type { Proc } from '../../../harness/process.ts'

export class JsonLines {
  #waiting: ((answer: Record<string, unknown>) => void) | undefined

  /** Give this to `SpawnSpec.onLine`. */
  readonly onLine = (line: string): void => {
    if (!line.startsWith('{')) return
    const answer = JSON.parse(line) as Record<string, unknown>
    if (answer['event'] === 'ready') return
    this.#waiting?.(answer)
    this.#waiting = undefined
  }

  /** Sends a line and waits for the answer; throws if the process is gone. */
  async ask(proc: Proc, question: string): Promise<Record<string, unknown>> {
    const answer = new Promise<Record<string, unknown>>((resolve) => {
      this.#waiting = resolve
    })
    proc.write(`${question}\n`)
    const ended = proc.exited.then((exit) => {
      throw new BenchError('failed', `${proc.name} ended with ${exit.code ?? exit.signal}`, 'see its log')
    })
    return Promise.race([answer, ended])
  }
}
