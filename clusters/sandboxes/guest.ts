/** A booted guest as a place: programs are brought into it, run by its agent, and end with it. */
import { join } from 'node:path'
import type { SpawnSpec } from '../../harness/contracts.ts'
import { CommandError } from '../../harness/errors.ts'
import type { Proc } from '../../harness/process.ts'
import type { Scope } from '../../harness/scope.ts'
import { ask, request } from './agent-client.ts'
import { GuestProc } from './guest-proc.ts'
import type { Guest, GuestSpec, SandboxName } from './sandbox.ts'

/** What a kind of sandbox knows when its guest has booted. */
export interface Booted {
  readonly sandbox: SandboxName
  readonly kernel: string
  readonly bootMs: number
  readonly proc: Proc
}

export class AgentGuest implements Guest {
  readonly name: string
  readonly sandbox: SandboxName
  readonly kernel: string
  readonly bootMs: number
  readonly proc: Proc
  readonly #spec: GuestSpec
  readonly #scope: Scope

  constructor(spec: GuestSpec, booted: Booted, scope: Scope) {
    this.name = spec.name
    this.sandbox = booted.sandbox
    this.kernel = booted.kernel
    this.bootMs = booted.bootMs
    this.proc = booted.proc
    this.#spec = spec
    this.#scope = scope
  }

  /** CPU and memory of what runs inside are the sandbox's; `pin` is the sandbox's too. */
  async spawn(spec: SpawnSpec): Promise<Proc> {
    const { argv, env = {}, component, ready, readyTimeoutMs, onLine, signal, uid } = spec
    const { dwelling, logDir, device } = this.#spec
    const proc = await GuestProc.start(device.hybrid, {
      name: `${component} in ${this.name}`,
      argv: argv.map(dwelling.bring),
      env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, dwelling.bring(value)])),
      logFile: join(logDir, `${component.replaceAll(/[^\w-]+/g, '-')}.log`),
      ...(uid === undefined ? {} : { uid }),
      ...(ready ? { ready } : {}),
      ...(readyTimeoutMs ? { readyTimeoutMs } : {}),
      ...(onLine ? { onLine } : {}),
      ...(signal ? { signal } : {}),
    })
    this.#scope.defer(`${component} in ${this.name}`, () => proc.stop())
    return proc
  }

  async run(argv: readonly string[], input = ''): Promise<string> {
    const { dwelling, device } = this.#spec
    const seen: Record<'o' | 'e', Buffer[]> = { o: [], e: [] }
    const asked = { spawn: { argv: argv.map(dwelling.bring), env: { LC_ALL: 'C' } } }
    const exchange = await request(device.hybrid, asked, ({ kind, payload }) => {
      if (kind === 'o' || kind === 'e') seen[kind].push(payload)
    })
    if (input) exchange.send('i', Buffer.from(input))
    exchange.send('i', Buffer.alloc(0))
    const outcome = await exchange.ended
    if ('code' in outcome && outcome.code === 0) return Buffer.concat(seen.o).toString('utf8')
    const why = 'error' in outcome ? outcome.error : Buffer.concat(seen.e).toString('utf8')
    throw new CommandError(argv, 'code' in outcome ? outcome.code : null, why)
  }

  async read(path: string): Promise<string> {
    return (await ask(this.#spec.device.hybrid, { read: { path } })).toString('utf8')
  }

  async poweroff(): Promise<void> {
    // the machine may be gone before its answer is out: its end is the answer
    await request(this.#spec.device.hybrid, { poweroff: {} }, () => {})
    await this.proc.exited
  }
}
