/**
 * Long-lived processes: argument list without a shell, own process group, lines as they come, a ready line instead of
 * a sleep, TERM then KILL. The measured processes, the proxies and the drivers all run through here.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { BenchError } from './errors.ts'

export interface ProcSpec {
  readonly name: string
  readonly argv: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Both streams are also written here, line by line. */
  readonly logFile?: string
  readonly ready?: RegExp
  readonly readyTimeoutMs?: number
  readonly onLine?: (line: string) => void
  readonly signal?: AbortSignal
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export class Proc {
  readonly name: string
  readonly pid: number
  /** Resolves when the process has ended; never rejects. */
  readonly exited: Promise<Exit>
  readonly #child: ChildProcess
  #exit: Exit | undefined
  #tail: string[] = []

  private constructor(name: string, child: ChildProcess, exited: Promise<Exit>) {
    this.name = name
    this.pid = child.pid as number
    this.#child = child
    this.exited = exited
    exited.then((exit) => {
      this.#exit = exit
    })
  }

  get exit(): Exit | undefined {
    return this.#exit
  }

  get alive(): boolean {
    return this.#exit === undefined
  }

  /** Last lines of both streams, for error messages. */
  get tail(): string {
    return this.#tail.join('\n')
  }

  write(text: string): void {
    this.#child.stdin?.write(text)
  }

  /** Starts the process and waits for its ready line, if one is asked for. Throws BenchError if it dies before. */
  static async start(spec: ProcSpec): Promise<Proc> {
    const [command, ...args] = spec.argv as [string, ...string[]]
    const child = spawn(command, args, {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(spec.cwd ? { cwd: spec.cwd } : {}),
      env: { ...process.env, ...spec.env },
    })
    const exited = new Promise<Exit>((resolve) => {
      child.once('error', () => resolve({ code: 127, signal: null }))
      child.once('close', (code, signal) => resolve({ code, signal }))
    })
    if (child.pid === undefined) {
      await exited
      throw new BenchError('missing', `cannot start ${spec.name}: ${command} not found`, 'run npm run doctor')
    }
    child.stdin?.on('error', () => {}) // the process may end before it has read everything
    const proc = new Proc(spec.name, child, exited)
    const ready = proc.#follow(spec)
    const onAbort = (): void => void proc.stop()
    spec.signal?.addEventListener('abort', onAbort, { once: true })
    void exited.then(() => spec.signal?.removeEventListener('abort', onAbort))
    if (spec.ready) await proc.#awaitReady(spec, ready)
    return proc
  }

  #follow(spec: ProcSpec): Promise<void> {
    const log = spec.logFile ? createWriteStream(spec.logFile, { flags: 'a' }) : undefined
    log?.on('error', () => {}) // a full disk must not kill the harness through a proxy's log
    return new Promise((resolve) => {
      for (const [stream, isOut] of [
        [this.#child.stdout, true],
        [this.#child.stderr, false],
      ] as const) {
        if (!stream) continue
        createInterface({ input: stream }).on('line', (line) => {
          log?.write(`${line}\n`)
          if (this.#tail.push(line) > 20) this.#tail.shift()
          if (isOut) spec.onLine?.(line)
          if (spec.ready?.test(line)) resolve()
        })
      }
      void this.exited.then(() => log?.end())
    })
  }

  async #awaitReady(spec: ProcSpec, ready: Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<string>((resolve) => {
      timer = setTimeout(
        () => resolve(`not ready after ${spec.readyTimeoutMs ?? 10_000} ms`),
        spec.readyTimeoutMs ?? 10_000,
      )
    })
    const outcome = await Promise.race([ready, timeout, this.exited.then((e) => `ended with ${e.code ?? e.signal}`)])
    clearTimeout(timer)
    if (typeof outcome !== 'string') return
    await this.stop()
    throw new BenchError(
      'failed',
      `${spec.name} ${outcome}: ${this.tail.split('\n').slice(-3).join(' | ')}`,
      `its log: ${spec.logFile ?? 'none'}`,
    )
  }

  /** Asks the whole process group to end, then makes it. Safe to call twice. */
  async stop(graceMs = 1500): Promise<Exit> {
    if (this.alive) this.#signal('SIGTERM')
    const timer = setTimeout(() => this.#signal('SIGKILL'), graceMs)
    const exit = await this.exited
    clearTimeout(timer)
    return exit
  }

  kill(): void {
    this.#signal('SIGKILL')
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal)
    } catch {
      // already gone
    }
  }
}
