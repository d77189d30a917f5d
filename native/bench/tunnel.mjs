/**
 * dpb-tunnel as node proxy on both sides, with Envoy beside it on the same path: client pod, in-Pod rules, node proxy, HBONE,
 * node proxy, server pod; once with each proxy, in namespaces of their own. Rounds are interleaved, so that the weather of
 * the machine hits both; everything shares one core, so that a difference is work saved, not cores gained.
 *
 *   node native/bench/tunnel.mjs [--json] [--rounds 5] [--seconds 2] [--cpus 1] [--tunnel PATH]
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { parseArgs } from 'node:util'
import { fire, layLab, Scope, startEnvoy, startTunnel } from './tunnel-lab.mjs'

const bin = (name) => new URL(`../target/release/${name}`, import.meta.url).pathname
const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    cpus: { type: 'string', default: '1' },
    tunnel: { type: 'string', default: bin('dpb-tunnel') },
  },
})
const rounds = Number(options.rounds)
const seconds = Number(options.seconds)
const envoy = new URL('../../.cache/envoy/envoy', import.meta.url).pathname
const hdr = createRequire(import.meta.url)('hdr-histogram-js')

function refuse(line) {
  process.stderr.write(`tunnel bench: ${line}\n`)
  process.exit(2)
}

if (!(rounds >= 1 && seconds >= 1)) refuse('--rounds and --seconds: give numbers from 1 on')
if (process.getuid?.() !== 0) refuse('network namespaces need root')
for (const file of [bin('dpb-echo'), bin('dpb-load'), options.tunnel, envoy]) {
  if (!existsSync(file)) refuse(`${file} is missing; run npm run bench once, which builds and fetches everything`)
}

const http = (test, connections) => ['--test', test, '--protocol', 'http', '--connections', connections]
const stream = (test) => ['--test', test, '--protocol', 'tcp', '--connections', '1', '--payload', '65536']
const loads = {
  alone: [...http('capacity', '1'), '--payload', '64'],
  together: [...http('capacity', '16'), '--payload', '64'],
  connecting: [...http('crr', '4'), '--payload', '64'],
  up: stream('stream-up'),
  down: stream('stream-down'),
}

/** CPU time of all threads of a process, seconds (/proc/PID/task/TID/schedstat, first field, ns). */
function cpuSeconds(pid) {
  const tasks = readdirSync(`/proc/${pid}/task`)
  return tasks.reduce((sum, task) => {
    return sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1e9
  }, 0)
}

const rssMiB = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

/** Fires one load through a lab's proxies. */
function measure({ lab, proxies }, load) {
  const before = proxies.map(({ pid }) => cpuSeconds(pid))
  const result = fire(lab, options.cpus, bin('dpb-load'), [...load, '--warmup', '0.3', '--duration', String(seconds)])
  const used = proxies.map(({ pid }, index) => cpuSeconds(pid) - before[index])
  if (Object.keys(result.errors).length > 0) {
    throw new Error(`dpb-load ${load.join(' ')} in ${lab.folder} saw ${JSON.stringify(result.errors)}`)
  }
  const histogram = result.serviceHdr && hdr.decodeFromCompressedBase64(result.serviceHdr)
  const at = (percentile) => (histogram ? histogram.getValueAtPercentile(percentile) / 1000 : undefined)
  return {
    p50Us: at(50),
    p99Us: at(99),
    perSecond: result.done / result.wallSeconds,
    gbitPerSecond: (result.streamBytes * 8) / result.wallSeconds / 1e9,
    cpuUs: (used.reduce((sum, one) => sum + one, 0) / 2 / result.traffic.requests) * 1e6,
    cpuSecondsPerGbit: used.reduce((sum, one) => sum + one, 0) / 2 / ((result.streamBytes * 8) / 1e9),
  }
}

const median = (list) => {
  const sorted = [...list].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** What is shown: figure of a load, unit, digits, and which way is better. */
const figures = [
  ['latency p50, 1 connection', 'alone', 'p50Us', 'µs', 1],
  ['latency p99, 1 connection', 'alone', 'p99Us', 'µs', 1],
  ['CPU per proxy and request, 1 connection', 'alone', 'cpuUs', 'µs', 1],
  ['requests, 16 connections', 'together', 'perSecond', '/s', 0],
  ['CPU per proxy and request, 16 connections', 'together', 'cpuUs', 'µs', 1],
  ['new connections', 'connecting', 'perSecond', '/s', 0],
  ['CPU per proxy and connection', 'connecting', 'cpuUs', 'µs', 1],
  ['stream up', 'up', 'gbitPerSecond', 'Gbit/s', 2],
  ['stream down', 'down', 'gbitPerSecond', 'Gbit/s', 2],
  ['CPU per proxy and Gbit, up', 'up', 'cpuSecondsPerGbit', 's', 3],
]

async function layBoth(scope) {
  const lay = async (name, start, binary) => {
    const lab = await layLab(scope, `tb${name}${process.pid}`, options.cpus, bin('dpb-echo'))
    const proxies = []
    for (const pod of [lab.client, lab.server]) proxies.push(await start(scope, lab, pod, options.cpus, binary))
    return { lab, proxies }
  }
  return { tunnel: await lay('t', startTunnel, options.tunnel), envoy: await lay('e', startEnvoy, envoy) }
}

function run(sides) {
  const shots = []
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? ['tunnel', 'envoy'] : ['envoy', 'tunnel']
    const shot = { tunnel: {}, envoy: {} }
    for (const [name, load] of Object.entries(loads)) {
      for (const side of order) shot[side][name] = measure(sides[side], load)
    }
    shots.push(shot)
  }
  return figures.map(([title, load, key, unit, digits]) => {
    const of = (side) => median(shots.map((shot) => shot[side][load][key]))
    const ratio = median(shots.map((shot) => shot.tunnel[load][key] / shot.envoy[load][key]))
    return { title, unit, digits, tunnel: of('tunnel'), envoy: of('envoy'), ratio }
  })
}

function print(table) {
  const line = (cells) =>
    process.stdout.write(
      `${cells[0].padEnd(44)}${cells
        .slice(1)
        .map((c) => c.padStart(14))
        .join('')}\n`,
    )
  line(['', 'dpb-tunnel', 'Envoy', 'ratio'])
  for (const { title, unit, digits, tunnel, envoy: other, ratio } of table) {
    line([`${title} (${unit})`, tunnel.toFixed(digits), other.toFixed(digits), ratio.toFixed(2)])
  }
}

const scope = new Scope('tunnel bench')
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => scope.close().finally(() => process.exit(130)))
}
try {
  const sides = await layBoth(scope)
  const table = run(sides)
  const memory = Object.entries(sides).map(([side, { proxies }]) => [
    side,
    Math.max(...proxies.map(({ pid }) => rssMiB(pid))),
  ])
  const { tunnel, envoy: other } = Object.fromEntries(memory)
  table.push({
    title: 'memory of a proxy after all that',
    unit: 'MiB',
    digits: 1,
    tunnel,
    envoy: other,
    ratio: tunnel / other,
  })
  if (options.json) process.stdout.write(`${JSON.stringify({ rounds, seconds, cpus: options.cpus, table })}\n`)
  else print(table)
} catch (cause) {
  process.stderr.write(`tunnel bench: ${cause instanceof Error ? cause.message : cause}\n`)
  process.exitCode = 1
} finally {
  await scope.close()
}
