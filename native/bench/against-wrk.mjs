/**
 * dpb-load against wrk on the same server: requests per second, and CPU per request of the client, as ratios.
 * Rounds are interleaved, so that the weather of the machine hits both. Driver on core 0, server on core 1.
 *
 *   node native/bench/against-wrk.mjs [--json] [--rounds 5] [--seconds 2]
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
  },
})
const rounds = Number(options.rounds)
const seconds = Number(options.seconds)
/** Payload of a request and its answer, bytes. */
const payload = 64
const connectionCounts = [1, 16, 64]
/** Planned requests per second of the lateness figure, as in the target. */
const latenessRate = 5000

const bin = (name) => new URL(`../target/release/${name}`, import.meta.url).pathname

function refuse(line) {
  process.stderr.write(`against-wrk: ${line}\n`)
  process.exit(2)
}

if (!(rounds >= 1 && seconds >= 1)) refuse('--rounds and --seconds: give numbers from 1 on')
if (spawnSync('wrk', ['--version']).error) refuse('wrk is not installed; on Debian: apt-get install wrk')
for (const name of ['dpb-echo', 'dpb-load']) {
  if (!existsSync(bin(name))) refuse(`${bin(name)} is missing; run: cargo build --release (in native/)`)
}

/** Runs a command on core 0; resolves with its stdout and its CPU seconds, start-up included. */
function onDriverCore(argv) {
  const done = spawnSync('bash', ['-c', 'taskset -c 0 "$@"; status=$?; times >&2; exit $status', 'bash', ...argv], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
  if (done.status !== 0) refuse(`${argv.join(' ')} failed: ${done.stderr}`)
  return { stdout: done.stdout, cpuSeconds: childCpu(done.stderr) }
}

/** Second line of bash's `times`: user and system time of its children, as `0m1.234s 0m0.456s`. */
function childCpu(stderr) {
  const line = stderr.trim().split('\n').at(-1) ?? ''
  return [...line.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, m, s]) => sum + Number(m) * 60 + Number(s), 0)
}

function fireWrk(url, script, connections) {
  const argv = ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, url]
  const { stdout, cpuSeconds } = onDriverCore(argv)
  const requests = Number(stdout.match(/(\d+) requests in/)?.[1])
  if (/Socket errors|Non-2xx/.test(stdout)) refuse(`wrk saw errors:\n${stdout}`)
  const rate = Number(stdout.match(/Requests\/sec:\s*([\d.]+)/)?.[1])
  return { rate, cpuPerRequest: cpuSeconds / requests }
}

function fireLoad(port, connections) {
  const load = ['--test', 'capacity', '--connections', String(connections), '--duration', String(seconds)]
  const result = run(port, [...load, '--warmup', '0'])
  return { rate: result.done / result.wallSeconds, cpuPerRequest: result.processCpu / result.traffic.requests }
}

function run(port, load) {
  const target = ['--target', '127.0.0.1', '--http-port', String(port), '--payload', String(payload)]
  const { stdout, cpuSeconds } = onDriverCore([bin('dpb-load'), ...target, ...load])
  const result = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}')
  // A loud machine leaves requests of the open loop unsent; that is shown, not refused.
  if (Object.keys(result.errors).some((kind) => kind !== 'unsent'))
    refuse(`dpb-load saw errors: ${JSON.stringify(result.errors)}`)
  return { ...result, processCpu: cpuSeconds }
}

const median = (list) => {
  const sorted = [...list].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

function compare(url, port, script, connections) {
  const pairs = []
  for (let round = 0; round < rounds; round++) {
    const loadFirst = round % 2 === 0
    const first = loadFirst ? fireLoad(port, connections) : fireWrk(url, script, connections)
    const second = loadFirst ? fireWrk(url, script, connections) : fireLoad(port, connections)
    pairs.push(loadFirst ? { load: first, wrk: second } : { load: second, wrk: first })
  }
  const of = (tool, key) => median(pairs.map((pair) => pair[tool][key]))
  return {
    connections,
    loadPerSecond: of('load', 'rate'),
    wrkPerSecond: of('wrk', 'rate'),
    rateRatio: median(pairs.map(({ load, wrk }) => load.rate / wrk.rate)),
    loadCpuUs: of('load', 'cpuPerRequest') * 1e6,
    wrkCpuUs: of('wrk', 'cpuPerRequest') * 1e6,
    cpuRatio: median(pairs.map(({ load, wrk }) => load.cpuPerRequest / wrk.cpuPerRequest)),
  }
}

/** Lateness of the open loop; decoded when hdr-histogram-js is there. */
async function lateness(port) {
  const load = ['--test', 'latency', '--rate', String(latenessRate), '--connections', '16', '--warmup', '0.5']
  const results = Array.from({ length: rounds }, () => run(port, [...load, '--duration', String(seconds)]))
  const hdr = await import('hdr-histogram-js').catch(() => null)
  if (!hdr) return null
  const p99 = results.map((result) => {
    return hdr.decodeFromCompressedBase64(result.latenessHdr).getValueAtPercentile(99) / 1000
  })
  const unsent = results.reduce((sum, result) => sum + (result.errors.unsent ?? 0), 0)
  const busy = results.map((result) => (result.cpuSeconds - result.spinSeconds) / result.wallSeconds)
  return {
    ratePerSecond: latenessRate,
    p99Us: median(p99),
    bestP99Us: Math.min(...p99),
    busyShare: median(busy),
    unsent,
  }
}

const folder = mkdtempSync(join(tmpdir(), 'against-wrk-'))
const script = join(folder, 'post.lua')
writeFileSync(script, `wrk.method = "POST"\nwrk.body = string.rep("dpb!", ${payload / 4})\n`)
const echo = spawn('taskset', ['-c', '1', bin('dpb-echo'), '--http', '127.0.0.1:0', '--tcp', '127.0.0.1:0'], {
  stdio: ['pipe', 'pipe', 'inherit'],
})
try {
  const line = await new Promise((resolve) => echo.stdout.once('data', (data) => resolve(String(data))))
  const port = Number(JSON.parse(line).http.split(':').at(-1))
  const url = `http://127.0.0.1:${port}/echo`
  const table = connectionCounts.map((connections) => compare(url, port, script, connections))
  const late = await lateness(port)
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ rounds, seconds, payload, table, lateness: late })}\n`)
  } else {
    const head = ['connections', 'load/s', 'wrk/s', 'ratio', 'load µs CPU', 'wrk µs CPU', 'ratio']
    const rows = table.map((row) => [
      row.connections,
      Math.round(row.loadPerSecond),
      Math.round(row.wrkPerSecond),
      row.rateRatio.toFixed(2),
      row.loadCpuUs.toFixed(2),
      row.wrkCpuUs.toFixed(2),
      row.cpuRatio.toFixed(2),
    ])
    const print = (row) => process.stdout.write(`${row.map((cell) => String(cell).padStart(12)).join('')}\n`)
    for (const row of [head, ...rows]) print(row)
    if (late) {
      const { p99Us, bestP99Us, busyShare, unsent } = late
      process.stdout.write(
        `lateness p99 at ${latenessRate}/s: ${p99Us.toFixed(1)} µs (best round ${bestP99Us.toFixed(1)}), ` +
          `driver busy ${(busyShare * 100).toFixed(0)} % without the spin, ${unsent} unsent\n`,
      )
    }
  }
} finally {
  echo.kill()
  rmSync(folder, { recursive: true })
}
