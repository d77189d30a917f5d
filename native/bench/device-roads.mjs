/**
 * The roads that `device.mjs` compares: a Unix socket of the host, our device, the stock device. Each one starts what it
 * needs on one CPU and says how `dpb-virtual-guest fire` gets onto it. A further road (the fused device, say, beside an
 * HBONE client) is one more function here.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const native = new URL('..', import.meta.url).pathname
const target = process.env.CARGO_TARGET_DIR ?? join(native, 'target')
export const virtualGuest = join(target, 'release/dpb-virtual-guest')
const vsockTsi = join(target, 'release/dpb-vsock-tsi')

const stockVersion = '0.3.0'
const stockFolder = new URL(`../../.cache/vhost-device-vsock-${stockVersion}`, import.meta.url).pathname
const stock = join(stockFolder, 'bin/vhost-device-vsock')

/** How long a program may take to be ready, in ms. */
const readyMs = 5000

/** Builds our programs. Throws with cargo's words if that fails. */
export function build() {
  const built = spawnSync('cargo', ['build', '--release', '-p', 'virtual-guest', '-p', 'vsock-tsi'], {
    cwd: native,
    encoding: 'utf8',
  })
  if (built.status !== 0) throw new Error(`cargo build failed: ${built.stderr ?? built.error}`)
}

/** Installs the stock device into the project's cache; why it is missing, or null. */
export function installStock() {
  if (existsSync(stock)) return null
  const argv = ['install', 'vhost-device-vsock', '--locked', '--version', stockVersion, '--root', stockFolder]
  process.stderr.write(`device: building vhost-device-vsock ${stockVersion} into .cache (a few minutes, once)\n`)
  const done = spawnSync('cargo', argv, { encoding: 'utf8' })
  const why = done.stderr?.trim().split('\n').at(-1) ?? String(done.error)
  return done.status === 0 ? null : `cargo install vhost-device-vsock ${stockVersion}: ${why}`
}

/** A program on one CPU, its stdout by lines. */
export class Program {
  constructor(cpu, argv) {
    this.name = argv[0].split('/').at(-1)
    this.child = spawn('taskset', ['-c', String(cpu), ...argv], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.exit = once(this.child, 'exit')
    this.heard = ''
    this.child.stderr.on('data', (data) => {
      this.heard = (this.heard + data).slice(-2000)
    })
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]()
  }

  /** The next line as JSON. */
  async next() {
    const { value, done } = await this.lines.next()
    if (done) throw new Error(`${this.name} ended: ${this.heard.trim() || 'without a word'}`)
    return JSON.parse(value)
  }

  tell(line) {
    this.child.stdin.write(`${line}\n`)
  }

  async stop() {
    this.child.kill()
    await this.exit
  }
}

/** Waits until a socket is there: the stock device has no other sign of being ready. */
async function listening(path, program) {
  const until = Date.now() + readyMs
  while (!existsSync(path)) {
    if (program.child.exitCode !== null) throw new Error(`${program.name} ended: ${program.heard.trim()}`)
    if (Date.now() > until) throw new Error(`${program.name}: no socket ${path} after ${readyMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** The far side and the folder of all sockets. */
export async function scene(cpu) {
  const folder = mkdtempSync(join(tmpdir(), 'dpb-device-'))
  const peers = [
    new Program(cpu, [virtualGuest, 'peer', '--by-port', join(folder, 'far')]),
    new Program(cpu, [virtualGuest, 'peer', '--named', join(folder, 'proxy')]),
  ]
  for (const peer of peers) await peer.next()
  return {
    cpu,
    folder,
    async stop() {
      for (const peer of peers) await peer.stop()
      rmSync(folder, { recursive: true })
    },
  }
}

/** From one process of the host to another. */
async function unix({ folder }) {
  return { fire: ['--unix', join(folder, 'far')], stop: async () => {} }
}

/** dpb-vsock-tsi with so many guests; the first one is fired through. */
export async function ours({ cpu, folder }, guests = 1) {
  const socket = (number) => join(folder, `ours-${number}.vhost`)
  const guest = (_, number) => ({
    name: `guest-${number}`,
    cid: 3 + number,
    address: `10.10.1.${10 + number}`,
    devices: [{ socket: socket(number), services: ['agent', 'tsi'] }],
    outbound: join(folder, 'proxy'),
  })
  const config = join(folder, 'ours.json')
  // Rescues are for kernels that sleep through interrupts; this guest does not.
  writeFileSync(config, JSON.stringify({ guests: Array.from({ length: guests }, guest), rescueUs: 0, pollUs: 0 }))
  const device = new Program(cpu, [vsockTsi, '--config', config])
  await device.next()
  return { fire: ['--vhost', socket(0)], pid: device.child.pid, stop: () => device.stop() }
}

/** vhost-device-vsock as it comes. */
async function stockDevice({ cpu, folder }) {
  const [socket, far] = [join(folder, 'stock.vhost'), join(folder, 'far')]
  for (const path of [socket, far]) rmSync(path, { force: true })
  const argv = [stock, '--guest-cid', '3', '--socket', socket, '--uds-path', far]
  const device = new Program(cpu, argv)
  await listening(socket, device)
  return { fire: ['--vhost', socket, '--to', '0.0.0.2', '--stock'], stop: () => device.stop() }
}

/** All of them by name, in the order of the table. */
export const roads = { unix, ours, stock: stockDevice }
