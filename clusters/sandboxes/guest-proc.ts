/** A process inside a guest, with the same words as one of the host: its streams are frames on a connection to the agent. */
import { constants } from 'node:os'
import { PassThrough } from 'node:stream'
import { BenchError } from '../../harness/errors.ts'
import { type Exit, Output, type OutputSpec } from '../../harness/output.ts'
import type { Proc } from '../../harness/process.ts'
import { type Exchange, type Frame, type Outcome, request } from './agent-client.ts'

export interface GuestProcSpec extends OutputSpec {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly uid?: number
  readonly signal?: AbortSignal
}

const signalName = (number: number): NodeJS.Signals | null =>
  (Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? null) as NodeJS.Signals | null

/** As a process of the host: 127 for what could not be started; what ends with its guest was killed. */
function exitOf(outcome: Outcome): Exit {
  if ('code' in outcome) return { code: outcome.code, signal: null }
  if ('signal' in outcome) return { code: null, signal: signalName(outcome.signal) }
  return { code: null, signal: 'SIGKILL' }
}

export class GuestProc implements Proc {
  readonly name: string
  readonly pid: number
  readonly exited: Promise<Exit>
  readonly #exchange: Exchange
  readonly #output: Output
  #exit: Exit | undefined

  private constructor(spec: GuestProcSpec, pid: number, exchange: Exchange, output: Output, exited: Promise<Exit>) {
    this.name = spec.name
    this.pid = pid
    this.exited = exited
    this.#exchange = exchange
    this.#output = output
    void exited.then((exit) => {
      this.#exit = exit
    })
  }

  /** Starts it and waits for its ready line, if one is asked for. */
  static async start(hybrid: string, spec: GuestProcSpec): Promise<GuestProc> {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()]
    const { promise: started, resolve: tellStarted } = withResolver<number>()
    const onFrame = ({ kind, payload }: Frame): void => {
      if (kind === 's') tellStarted((JSON.parse(payload.toString('utf8')) as { pid: number }).pid)
      else (kind === 'o' ? stdout : stderr).write(payload)
    }
    const { argv, env, uid } = spec
    const exchange = await request(hybrid, { spawn: { argv, env, ...(uid === undefined ? {} : { uid }) } }, onFrame)
    const closed = exchange.ended.then(async (outcome) => {
      await Promise.all([stdout, stderr].map((stream) => ended(stream)))
      return exitOf(outcome)
    })
    const output = new Output(spec, stdout, stderr, closed)
    const failed = exchange.ended.then((outcome) => ('error' in outcome ? outcome.error : 'it ended'))
    const pid = await Promise.race([started, failed])
    if (typeof pid === 'string')
      throw new BenchError('failed', `cannot start ${spec.name}: ${pid}`, 'see the log of its sandbox')
    const proc = new GuestProc(spec, pid, exchange, output, closed)
    const onAbort = (): void => void proc.stop()
    spec.signal?.addEventListener('abort', onAbort, { once: true })
    void closed.then(() => spec.signal?.removeEventListener('abort', onAbort))
    await output.awaitReady(() => proc.stop())
    return proc
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

  write(text: string): void {
    if (this.alive) this.#exchange.send('i', Buffer.from(text))
  }

  async stop(graceMs = 1500): Promise<Exit> {
    if (this.alive) this.#exchange.send('k', Buffer.of(constants.signals.SIGTERM))
    const timer = setTimeout(() => this.kill(), graceMs)
    const exit = await this.exited
    clearTimeout(timer)
    return exit
  }

  /** The agent kills the group of a lost connection; a guest that hangs cannot keep the harness waiting. */
  kill(): void {
    this.#exchange.drop()
  }
}

function withResolver<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

/** Ends a stream and waits until its reader has taken everything. */
function ended(stream: PassThrough): Promise<void> {
  return new Promise((resolve) => {
    stream.once('close', resolve)
    stream.end()
  })
}
