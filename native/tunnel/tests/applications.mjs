/** Small applications for tests in pods: `node applications.mjs serve`, and `node applications.mjs call HOST CASE`. */
import { connect, createServer } from 'node:net'

/** Ports, and what happens at each. */
export const ports = { echo: 9000, greeting: 9001, resets: 9002, isReset: 9003, closed: 9999 }

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)

function serve() {
  const onPort = (port, serving) =>
    new Promise((listening) => {
      createServer({ allowHalfOpen: true }, (socket) => {
        socket.on('error', () => undefined)
        serving(socket)
      }).listen(port, '0.0.0.0', listening)
    })
  return Promise.all([
    onPort(ports.echo, (socket) => socket.pipe(socket)),
    onPort(ports.greeting, (socket) => {
      socket.write('hello')
      socket.pipe(socket)
    }),
    onPort(ports.resets, (socket) => socket.once('data', () => socket.resetAndDestroy())),
    onPort(ports.isReset, (socket) => {
      socket.on('data', (data) => socket.write(data))
      socket.on('end', () => say({ ended: 'end' }))
      socket.on('error', ({ code }) => say({ ended: code }))
    }),
  ])
}

/** All that a call hears, and how it ends. */
function heard(socket) {
  return new Promise((done) => {
    const parts = []
    socket.on('data', (data) => parts.push(data))
    socket.on('end', () => done({ bytes: Buffer.concat(parts), ended: 'end' }))
    socket.on('error', ({ code }) => done({ bytes: Buffer.concat(parts), ended: code }))
  })
}

const calling = (host, port) => connect({ host, port, allowHalfOpen: true })
const pattern = (seed, length) =>
  Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8) * seed) & 255))

async function echoOf(host, seed, length) {
  const socket = calling(host, ports.echo)
  const answer = heard(socket)
  const bytes = pattern(seed, length)
  socket.end(bytes)
  const { bytes: back, ended } = await answer
  return ended === 'end' && back.equals(bytes)
}

const cases = {
  async echo(host) {
    const right = []
    for (const length of [1, 64, 20_000, 1 << 20, 5 << 20]) {
      const many = Array.from({ length: 16 }, (_, seed) => echoOf(host, seed + 1, length))
      right.push((await Promise.all(many)).every(Boolean))
    }
    return right
  },
  async greeting(host) {
    const socket = calling(host, ports.greeting)
    await new Promise((done) => socket.once('readable', done))
    const first = String(socket.read())
    const answer = heard(socket)
    socket.end('all of it')
    const { bytes, ended } = await answer
    return [first, String(bytes), ended]
  },
  async resets(host) {
    const socket = calling(host, ports.resets)
    const answer = heard(socket)
    socket.write('x')
    return (await answer).ended
  },
  async isReset(host) {
    const socket = calling(host, ports.isReset)
    socket.write('x')
    await new Promise((done) => socket.once('data', done))
    socket.resetAndDestroy()
  },
  async closed(host) {
    return (await heard(calling(host, ports.closed))).ended
  },
}

const [what, host, name] = process.argv.slice(2)
if (what === 'serve') serve().then(() => say({ event: 'ready' }))
if (what === 'call') say((await cases[name](host)) ?? null)
