/** Stands in for a node proxy: what the guest sends to the far address comes back to the same port of its own. */
import { createServer, connect as netConnect, type Server, type Socket } from 'node:net'
import type { Scope } from '../../../harness/scope.ts'

/** Bytes of a PROXY v2 header for IPv4; where its addresses and ports begin (HAProxy's proxy-protocol.txt, 2.2). */
const headerBytes = 28
const at = { source: 16, destination: 20, sourcePort: 24, destinationPort: 26 } as const

/** An address nobody has: what goes there comes back. Others end at once. */
export const farAddress = '10.99.99.99'

export interface RelaySpec {
  readonly outbound: string
  readonly inbound: string
  /** The guest's pod. */
  readonly address: string
}

export interface Relay {
  /** Connections by original destination. */
  readonly destinations: ReadonlyMap<string, number>
}

const bytesOf = (address: string): Buffer => Buffer.from(address.split('.').map(Number))

export async function startRelay(spec: RelaySpec, scope: Scope): Promise<Relay> {
  const destinations = new Map<string, number>()
  const open = new Set<Socket>()
  const server: Server = createServer({ allowHalfOpen: true, pauseOnConnect: false }, (socket) => {
    track(socket, open)
    let head = Buffer.alloc(0)
    const onData = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk])
      if (head.length < headerBytes) return
      socket.off('data', onData)
      socket.pause()
      const name = [...head.subarray(at.destination, at.sourcePort)].join('.')
      const destination = `${name}:${head.readUInt16BE(at.destinationPort)}`
      destinations.set(destination, (destinations.get(destination) ?? 0) + 1)
      if (name === farAddress) back(socket, head, spec, open)
      else socket.destroy()
    }
    socket.on('data', onData)
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(spec.outbound, resolve))
  scope.defer('relay', () => {
    for (const socket of open) socket.destroy()
    return new Promise<void>((resolve) => server.close(() => resolve()))
  })
  return { destinations }
}

/** Calls the guest in the name of the address that was called. */
function back(socket: Socket, head: Buffer, spec: RelaySpec, open: Set<Socket>): void {
  const other = netConnect({ path: spec.inbound, allowHalfOpen: true })
  track(other, open)
  const header = Buffer.from(head.subarray(0, headerBytes))
  bytesOf(farAddress).copy(header, at.source)
  bytesOf(spec.address).copy(header, at.destination)
  other.write(Buffer.concat([header, head.subarray(headerBytes)]))
  for (const [one, two] of [
    [socket, other],
    [other, socket],
  ] as const) {
    one.pipe(two)
    one.once('close', () => two.destroySoon())
    one.once('error', () => two.destroy())
  }
}

function track(socket: Socket, open: Set<Socket>): void {
  open.add(socket)
  socket.on('error', () => {})
  socket.once('close', () => open.delete(socket))
}
