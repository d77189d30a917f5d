/** What a process says: lines as they come, a log, the last of it for error messages, and the line that says it is ready. */
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { BenchError } from './errors.ts'

export interface OutputSpec {
  readonly name: string
  /** Both streams are also written here, line by line. */
  readonly logFile?: string
  readonly ready?: RegExp
  readonly readyTimeoutMs?: number
  /** Called for each full line of stdout. */
  readonly onLine?: (line: string) => void
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** Lines kept for error messages. */
const tailLines = 20

export class Output {
  readonly #spec: OutputSpec
  readonly #exited: Promise<Exit>
  readonly #ready: Promise<void>
  #tail: string[] = []

  /** Follows both streams until the process has ended. */
  constructor(spec: OutputSpec, stdout: Readable, stderr: Readable, exited: Promise<Exit>) {
    this.#spec = spec
    this.#exited = exited
    const log = spec.logFile ? createWriteStream(spec.logFile, { flags: 'a' }) : undefined
    log?.on('error', () => {}) // a full disk must not kill the harness through a proxy's log
    this.#ready = new Promise((resolve) => {
      for (const stream of [stdout, stderr])
        createInterface({ input: stream }).on('line', (line) => {
          log?.write(`${line}\n`)
          if (this.#tail.push(line) > tailLines) this.#tail.shift()
          if (stream === stdout) spec.onLine?.(line)
          if (spec.ready?.test(line)) resolve()
        })
    })
    void exited.then(() => log?.end())
  }

  /** Last lines of both streams. */
  get tail(): string {
    return this.#tail.join('\n')
  }

  /** Waits for the ready line, if one is asked for. A process that ends before or is late is stopped: BenchError `failed`. */
  async awaitReady(stop: () => Promise<unknown>): Promise<void> {
    const { name, ready, readyTimeoutMs = 10_000, logFile = 'none' } = this.#spec
    if (!ready) return
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(`not ready after ${readyTimeoutMs} ms`), readyTimeoutMs)
    })
    const ended = this.#exited.then((exit) => `ended with ${exit.code ?? exit.signal}`)
    const outcome = await Promise.race([this.#ready, timeout, ended])
    clearTimeout(timer)
    if (typeof outcome !== 'string') return
    await stop()
    throw new BenchError(
      'failed',
      `${name} ${outcome}: ${this.tail.split('\n').slice(-3).join(' | ')}`,
      `its log: ${logFile}`,
    )
  }
}
