/**
 * Long-lived processes: argument list without a shell, own process group, lines as they come, a ready line instead of
 * a sleep, TERM then KILL. The measured processes, the proxies and the drivers all run through here.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { BenchError } from './errors.ts'
import { type Exit, Output, type OutputSpec } from './output.ts'

export type { Exit } from './output.ts'

export interface ProcSpec extends OutputSpec {
  readonly argv: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly signal?: AbortSignal
}

/** A process that was started, on this machine or in a sandbox. */
export interface Proc {
  readonly name: string
  /** As its own kernel knows it: a process in a sandbox is none of the host's. */
  readonly pid: number
  /** Resolves when the process has ended; never rejects. */
  readonly exited: Promise<Exit>
  readonly exit: Exit | undefined
  readonly alive: boolean
  /** Last lines of both streams, for error messages. */
  readonly tail: string
  write(text: string): void
  /** Asks the whole process group to end, then makes it. Safe to call twice. */
  stop(graceMs?: number): Promise<Exit>
  kill(): void
}

class HostProc implements Proc {
  readonly name: string
  readonly pid: number
  readonly exited: Promise<Exit>
  readonly #child: ChildProcess
  readonly #output: Output
  #exit: Exit | undefined

  constructor(spec: ProcSpec, child: ChildProcess, pid: number, exited: Promise<Exit>) {
    this.name = spec.name
    this.pid = pid
    this.#child = child
    this.exited = exited
    this.#output = new Output(spec, child.stdout as Readable, child.stderr as Readable, exited)
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

  get tail(): string {
    return this.#output.tail
  }

  awaitReady(): Promise<void> {
    return this.#output.awaitReady(() => this.stop())
  }

  write(text: string): void {
    this.#child.stdin?.write(text)
  }

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

/** Starts the process and waits for its ready line, if one is asked for. Throws BenchError if it dies before. */
async function start(spec: ProcSpec): Promise<Proc> {
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
  const proc = new HostProc(spec, child, child.pid, exited)
  // what it left behind holds its streams open, and would be waited for; a sandbox killed by its kernel leaves such helpers
  child.once('exit', () => proc.kill())
  const onAbort = (): void => void proc.stop()
  spec.signal?.addEventListener('abort', onAbort, { once: true })
  void exited.then(() => spec.signal?.removeEventListener('abort', onAbort))
  await proc.awaitReady()
  return proc
}

/** Processes of this machine. */
export const Proc = { start }
