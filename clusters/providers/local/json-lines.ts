/** A tool that answers lines on stdin with JSON lines on stdout (native/PROTOCOL.md), in order. */
import { BenchError } from '../../../harness/errors.ts'
import type { Proc } from '../../../harness/process.ts'

export class JsonLines {
  readonly #waiting: ((answer: Record<string, unknown>) => void)[] = []

  /** Give this to `SpawnSpec.onLine`. */
  readonly onLine = (line: string): void => {
    if (!line.startsWith('{')) return
    const answer = JSON.parse(line) as Record<string, unknown>
    if (answer['event'] === 'ready') return
    this.#waiting.shift()?.(answer)
  }

  /** Sends a line and waits for the answer; throws if the process is gone. */
  async ask(proc: Proc, question: string): Promise<Record<string, unknown>> {
    const answer = new Promise<Record<string, unknown>>((resolve) => {
      this.#waiting.push(resolve)
    })
    proc.write(`${question}\n`)
    const ended = proc.exited.then((exit) => {
      throw new BenchError('failed', `${proc.name} ended with ${exit.code ?? exit.signal}`, 'see its log')
    })
    return Promise.race([answer, ended])
  }
}
