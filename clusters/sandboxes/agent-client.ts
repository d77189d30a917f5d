/** Speaks to a guest's agent through its device's hybrid Unix socket: one connection, one request, frames (native/agent/README.md). */
import { createConnection, type Socket } from 'node:net'
import { BenchError } from '../../harness/errors.ts'

/** vsock port of the agent: 65536 + Kata's 1024 (native/PROTOCOL.md). */
export const agentPort = 66_560

/** What the agent sends (`s`, `o`, `e`, `x`) and takes (`i`, `k`). */
export type FrameKind = 's' | 'o' | 'e' | 'x' | 'i' | 'k'
export interface Frame {
  readonly kind: FrameKind
  readonly payload: Buffer
}

export type AgentRequest =
  | {
      readonly spawn: {
        readonly argv: readonly string[]
        readonly env: Readonly<Record<string, string>>
        readonly uid?: number
      }
    }
  | { readonly read: { readonly path: string } }
  | { readonly hello: Record<string, never> }
  | { readonly poweroff: Record<string, never> }

/** How a request ended. */
export type Outcome = { readonly code: number } | { readonly signal: number } | { readonly error: string }

export const encodeFrame = (kind: FrameKind, payload: Uint8Array): Buffer => {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(payload.length)
  head[0] = kind.charCodeAt(0)
  return Buffer.concat([head, payload])
}

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0)

  take(chunk: Buffer): Frame[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const frames: Frame[] = []
    while (this.#rest.length >= 4) {
      const end = 4 + this.#rest.readUIntBE(1, 3)
      if (this.#rest.length < end) break
      const kind = String.fromCharCode(this.#rest[0] ?? 0) as FrameKind
      frames.push({ kind, payload: this.#rest.subarray(4, end) })
      this.#rest = this.#rest.subarray(end)
    }
    return frames
  }
}

/** A request under way. */
export interface Exchange {
  send(kind: 'i' | 'k', payload: Uint8Array): void
  /** Resolves with the last frame, or with an error when the connection is lost; never rejects. */
  readonly ended: Promise<Outcome>
  /** Gives up: the agent kills what runs on the connection. */
  drop(): void
}

/** Reads the device's answer to CONNECT; what follows it belongs to the agent. */
function greeted(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let seen = Buffer.alloc(0)
    const onData = (chunk: Buffer): void => {
      seen = Buffer.concat([seen, chunk])
      const end = seen.indexOf(10)
      if (end < 0) return
      socket.pause()
      socket.off('data', onData)
      resolve(seen.subarray(end + 1))
    }
    const refused = (): void =>
      reject(new BenchError('failed', 'the guest’s agent does not answer', 'see the log of its sandbox'))
    socket.on('data', onData)
    socket.once('error', refused)
    socket.once('close', refused)
    socket.write(`CONNECT ${agentPort}\n`)
  })
}

/** Sends a request; `onFrame` gets every frame but the last. Throws BenchError `failed` where nobody answers. */
export async function request(hybrid: string, asked: AgentRequest, onFrame: (frame: Frame) => void): Promise<Exchange> {
  const socket = createConnection(hybrid)
  const early = await greeted(socket)
  const reader = new FrameReader()
  const ended = new Promise<Outcome>((resolve) => {
    const take = (chunk: Buffer): void => {
      for (const frame of reader.take(chunk)) {
        if (frame.kind !== 'x') onFrame(frame)
        else {
          resolve(JSON.parse(frame.payload.toString('utf8')) as Outcome)
          socket.end()
        }
      }
    }
    take(early)
    socket.on('data', take)
    socket.on('error', () => {}) // `close` follows
    socket.on('close', () => resolve({ error: 'the connection to the guest was lost' }))
    socket.resume()
  })
  socket.write(`${JSON.stringify(asked)}\n`)
  return { send: (kind, payload) => void socket.write(encodeFrame(kind, payload)), ended, drop: () => socket.destroy() }
}

/** A request that is answered at once: everything it sent. Throws BenchError `failed` with the agent's words. */
export async function ask(hybrid: string, asked: AgentRequest): Promise<Buffer> {
  const parts: Buffer[] = []
  const exchange = await request(hybrid, asked, ({ kind, payload }) => {
    if (kind === 'o') parts.push(payload)
  })
  const outcome = await exchange.ended
  if ('error' in outcome) throw new BenchError('failed', `guest: ${outcome.error}`, 'see the log of its sandbox')
  return Buffer.concat(parts)
}
