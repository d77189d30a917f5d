/**
 * The vsock device without a guest kernel: dpb-vsock-tsi beside the stock vhost-device-vsock 0.3 and beside a Unix socket
 * of the host, all fired by the same virtual guest with Linux's habits (256 entries, 4 KiB receive buffers). Guest, device
 * and far side share one CPU, as a node's do; rounds are interleaved, figures are medians over the rounds.
 *
 *   node native/bench/device.mjs [--json] [--rounds 5] [--seconds 1] [--cpu LAST] [--receive-bytes 4096] [--no-stock]
 */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { build, installStock, ours, Program, roads, scene, virtualGuest } from './device-roads.mjs'

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    cpu: { type: 'string', default: String(availableParallelism() - 1) },
    'receive-bytes': { type: 'string', default: '4096' },
    'no-stock': { type: 'boolean', default: false },
  },
})
const rounds = Number(options.rounds)
const seconds = Number(options.seconds)
const cpu = Number(options.cpu)
const receiveBytes = Number(options['receive-bytes'])
/** Idle connections of the memory figure. */
const idleConnections = 10_000

/** What is fired, what of it is shown, and what the issue asks for: of our device alone, and of stock beside it. */
const figures = [
  { test: 'rr', name: 'round trip 64 B, p50 µs', of: (r) => r.p50Ns / 1e3, most: 15, beside: 0.5 },
  { test: 'rr', name: 'round trip 64 B, p99 µs', of: (r) => r.p99Ns / 1e3 },
  { test: 'up', name: 'stream out of the guest, Gbit/s', of: (r) => r.bitsPerSecond / 1e9, least: 20, beside: 2 },
  { test: 'down', name: 'stream into the guest, Gbit/s', of: (r) => r.bitsPerSecond / 1e9, least: 20, beside: 2 },
  { test: 'crr', name: 'new connections/s', of: (r) => r.perSecond, least: 15_000 },
]
const tests = [...new Set(figures.map(({ test }) => test))]

function refuse(line) {
  process.stderr.write(`device: ${line}\n`)
  process.exit(2)
}

if (!(rounds >= 1 && seconds >= 0.1)) refuse('--rounds, --seconds: give numbers from 1 and 0.1 on')
if (!(Number.isInteger(cpu) && cpu >= 0)) refuse('--cpu: give the number of a CPU')
if (!(receiveBytes >= 1 && receiveBytes <= 65_536)) refuse('--receive-bytes: give 1 to 65536')

/** Fires one test on one road, started anew for it. */
async function fire(place, road, test) {
  const started = await roads[road](place)
  const argv = [...started.fire, '--test', test, '--seconds', String(seconds)]
  const program = new Program(cpu, [virtualGuest, 'fire', ...argv, '--receive-bytes', String(receiveBytes)])
  try {
    return await program.next()
  } catch (error) {
    throw new Error(`${test} on ${road}: ${error.message}`)
  } finally {
    await program.exit
    await started.stop()
  }
}

/** Results by road and test, one for each round; the order of roads turns, so that none is always first. */
async function fireAll(place, names) {
  const results = Object.fromEntries(names.map((name) => [name, Object.fromEntries(tests.map((test) => [test, []]))]))
  for (let round = 0; round < rounds; round++) {
    for (const test of tests) {
      for (let turn = 0; turn < names.length; turn++) {
        const name = names[(round + turn) % names.length]
        results[name][test].push(await fire(place, name, test))
      }
    }
  }
  return results
}

/** Memory of a process in KiB: all, and its own data; a guest's memory is the guest's. */
function memoryKib(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name) => Number(status.match(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm'))?.[1])
  return { resident: field('VmRSS') - field('RssShmem'), own: field('RssAnon') }
}

/** Memory of an idle guest, and of idle connections beside it. */
async function memory(place) {
  const device = await ours(place)
  const hold = ['--test', 'hold', '--connections', String(idleConnections)]
  const program = new Program(cpu, [virtualGuest, 'fire', ...device.fire, ...hold])
  try {
    await program.next()
    const idle = memoryKib(device.pid)
    program.tell('open')
    await program.next()
    const open = memoryKib(device.pid)
    program.tell('close')
    await program.next()
    return { guestMib: idle.resident / 1024, connectionBytes: ((open.own - idle.own) * 1024) / idleConnections }
  } finally {
    await program.stop()
    await device.stop()
  }
}

const median = (list) => {
  const sorted = [...list].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** One line of the table: medians, our device's ratio to stock within each round, and what is asked for. */
function row(figure, results) {
  const list = (name) => results[name]?.[figure.test].map(figure.of)
  const [unix, our, stock] = ['unix', 'ours', 'stock'].map((name) => list(name) && median(list(name)))
  const ratio = stock === undefined ? undefined : median(list('ours').map((value, i) => value / list('stock')[i]))
  const met = []
  if (figure.most) met.push(our <= figure.most)
  if (figure.least) met.push(our >= figure.least)
  if (figure.beside && ratio) met.push(figure.beside < 1 ? ratio <= figure.beside : ratio >= figure.beside)
  return { name: figure.name, unix, ours: our, stock, ratio, target: wanted(figure), met: met.every(Boolean) }
}

function wanted({ most, least, beside }) {
  const alone = most ? `≤ ${most}` : least ? `≥ ${least}` : ''
  return beside ? `${alone}, ${beside < 1 ? '≤' : '≥'} ${beside} × stock` : alone
}

function print(table, held) {
  const digits = (value) => (value === undefined ? '–' : value >= 1000 ? value.toFixed(0) : value.toFixed(2))
  const line = (cells) => {
    const [name, ...rest] = cells
    process.stdout.write(`${name.padEnd(34)}${rest.map((cell) => String(cell).padStart(15)).join('')}\n`)
  }
  line(['', 'Unix socket', 'dpb-vsock-tsi', 'stock 0.3', 'ours/stock', '  asked for'])
  for (const { name, unix, ours: our, stock, ratio, target, met } of table) {
    const verdict = target ? `  ${target}${met ? '' : '  MISSED'}` : ''
    line([name, digits(unix), digits(our), digits(stock), digits(ratio), verdict])
  }
  const { guestMib, connectionBytes } = held
  line(['idle guest, MiB', '', guestMib.toFixed(2), '', '', `  ≤ 8${guestMib <= 8 ? '' : '  MISSED'}`])
  const verdict = `  ≤ 1024${connectionBytes <= 1024 ? '' : '  MISSED'}`
  line([`each of ${idleConnections} idle, bytes`, '', connectionBytes.toFixed(0), '', '', verdict])
}

build()
const missing = options['no-stock'] ? 'not asked for' : installStock()
if (missing) process.stderr.write(`device: without the stock device: ${missing}\n`)
const place = await scene(cpu)
try {
  const results = await fireAll(
    place,
    Object.keys(roads).filter((name) => !missing || name !== 'stock'),
  )
  const table = figures.map((figure) => row(figure, results))
  const held = await memory(place)
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ rounds, seconds, cpu, receiveBytes, table, memory: held })}\n`)
  } else print(table, held)
} finally {
  await place.stop()
}
