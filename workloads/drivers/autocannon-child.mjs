/**
 * Runs autocannon inside the client's place and prints what its raw `response` events say, as one JSON line. Its own
 * histogram (whole milliseconds, averaged rates) is not used. Options come as JSON in the first argument.
 */
import { createRequire } from 'node:module'
import { createHistogram } from 'node:perf_hooks'

const require = createRequire(import.meta.url)
const autocannon = require(/** @type {string} */ ('autocannon')) // a name the checker does not follow: it has no types
const { build, encodeIntoCompressedBase64 } = require('hdr-histogram-js')

/** Longest latency the stored histogram can hold: one minute, in ns. */
const highestNs = 60e9
const sliceMs = 1000

/** @type {import('./autocannon.ts').ChildOptions} */
const options = JSON.parse(process.argv[2] ?? '{}')
const histogram = build({
  lowestDiscernibleValue: 1,
  highestTrackableValue: highestNs,
  numberOfSignificantValueDigits: 3,
})
/** @type {import('node:perf_hooks').RecordableHistogram[]} */
const slices = []
/** @type {Record<string, number>} */
const errors = {}
let done = 0

/** @param {object} event */
const tell = (event) => process.stdout.write(`${JSON.stringify(event)}\n`)

/** @param {string} kind */
const fail = (kind) => {
  if (window.state === 'open') errors[kind] = (errors[kind] ?? 0) + 1
}

/** The measured part of the firing; autocannon itself knows no warm-up whose responses can be told apart. */
const window = {
  /** @type {'before' | 'open' | 'closed'} */
  state: 'before',
  beganMs: 0,
  wallSeconds: 0,
  cpuSeconds: 0,
  cpuAtStart: process.cpuUsage(),
  open() {
    this.state = 'open'
    this.beganMs = performance.now()
    this.cpuAtStart = process.cpuUsage()
    tell({ event: 'measuring' })
  },
  close() {
    if (this.state !== 'open') return
    this.state = 'closed'
    this.wallSeconds = (performance.now() - this.beganMs) / 1000
    const { user, system } = process.cpuUsage(this.cpuAtStart)
    this.cpuSeconds = (user + system) / 1e6
    tell({ event: 'measured' })
  },
}

/** @param {number} status @param {number} latencyMs */
function record(status, latencyMs) {
  const latencyNs = Math.min(highestNs, Math.max(1, Math.round(latencyMs * 1e6)))
  const slice = Math.floor((performance.now() - firedMs) / sliceMs)
  while (slices.length <= slice) slices.push(createHistogram())
  slices[slice]?.record(latencyNs)
  if (window.state !== 'open') return
  if (status < 200 || status > 299) return fail(`status-${status}`)
  done += 1
  histogram.recordValue(latencyNs)
}

const firedMs = performance.now()
const instance = autocannon(
  {
    url: options.url,
    connections: options.connections,
    duration: options.warmupSeconds + options.durationSeconds + 1, // stopped from here, at the window's end
    pipelining: 1, // and no rate: with one, autocannon would invent samples for what it supposes it omitted
    excludeErrorStats: true,
    ...(options.body ? { method: 'POST', body: options.body } : {}),
    sampleInt: 100, // ms until it notices that it was stopped
  },
  (/** @type {Error | null} */ failure) => {
    if (failure) {
      process.stderr.write(`${failure.message}\n`)
      process.exit(1)
    }
  },
)
instance.on(
  'response',
  (
    /** @type {unknown} */ _client,
    /** @type {number} */ status,
    /** @type {number} */ _bytes,
    /** @type {number} */ ms,
  ) => record(status, ms),
)
instance.on('reqError', (/** @type {NodeJS.ErrnoException} */ cause) => {
  if (cause.code === 'ECONNREFUSED') fail('connect-refused')
  else fail(cause.message === 'request timed out' ? 'timeout' : 'reset')
})
instance.on('done', () => {
  tell({
    event: 'result',
    done,
    errors,
    wallSeconds: window.wallSeconds,
    cpuSeconds: window.cpuSeconds,
    serviceHdr: encodeIntoCompressedBase64(histogram),
    sliceMs,
    slicesP50Ns: slices.filter((slice) => slice.count > 0).map((slice) => slice.percentile(50)),
    version: require('autocannon/package.json').version,
  })
})
setTimeout(() => {
  window.open()
  setTimeout(() => {
    window.close()
    instance.stop()
  }, options.durationSeconds * 1000)
}, options.warmupSeconds * 1000)
