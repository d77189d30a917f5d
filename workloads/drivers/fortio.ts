/**
 * fortio, when installed: capacity «closed per connection». Even with a rate, -uniform and -nocatchup each connection
 * waits for its answer and skips calls it is late for, so its latencies hide queueing: no open-loop latency here.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, encodeIntoCompressedBase64 } from 'hdr-histogram-js'
import { z } from 'zod'
import type { Firing } from '../../harness/contracts.ts'
import { defineDriver } from '../../harness/define.ts'
import { died } from './parts/child-run.ts'
import { closedFiring, installed, payloadOf, supportsCapacityOnly, urlOf } from './parts/closed-loop.ts'
import { warmThenMeasure } from './parts/phases.ts'

/** Resolution of fortio's own histogram, in seconds: 1 µs instead of its default of 1 ms. */
const resolutionSeconds = '0.000001'

const resultSchema = z.object({
  Version: z.string().default('unknown'),
  /** Nanoseconds. */
  ActualDuration: z.number().positive(),
  /** Answers by status; -1 is a socket error. */
  RetCodes: z.record(z.string(), z.number()),
  DurationHistogram: z.object({ Data: z.array(z.object({ End: z.number(), Count: z.number() })).nullable() }),
})

type Buckets = NonNullable<z.infer<typeof resultSchema>['DurationHistogram']['Data']>

/** fortio's buckets (seconds) at their upper ends, as HDR in ns. */
function serviceHdr(buckets: Buckets): string {
  const histogram = build({ lowestDiscernibleValue: 1, highestTrackableValue: 60e9, numberOfSignificantValueDigits: 3 })
  for (const { End, Count } of buckets) histogram.recordValueWithCount(Math.min(60e9, Math.round(End * 1e9)), Count)
  return encodeIntoCompressedBase64(histogram)
}

export function parseFortio(output: string): Firing {
  let json: unknown
  try {
    json = JSON.parse(output)
  } catch (cause) {
    throw died('fortio', `printed no JSON (${cause instanceof Error ? cause.message : cause})`, output)
  }
  const parsed = resultSchema.safeParse(json)
  if (!parsed.success) throw died('fortio', 'printed an unknown result', parsed.error.issues[0]?.message ?? '')
  const { RetCodes, ActualDuration, DurationHistogram, Version } = parsed.data
  const failures = Object.entries(RetCodes).filter(([status]) => !/^2\d\d$/.test(status))
  const counts = {
    done: Object.entries(RetCodes).reduce((sum, [status, n]) => (/^2\d\d$/.test(status) ? sum + n : sum), 0),
    errors: Object.fromEntries(failures.map(([status, n]) => [status === '-1' ? 'reset' : `status-${status}`, n])),
    wallSeconds: ActualDuration / 1e9,
    driverVersion: Version,
  }
  // with failures in it the histogram would mix the latency of refusals with that of answers
  const pure = failures.length === 0 && DurationHistogram.Data
  return closedFiring(counts, pure ? { serviceHdr: serviceHdr(pure) } : {})
}

export default defineDriver({
  name: 'fortio',
  about: 'fortio: capacity, closed per connection, comparable with published mesh figures',
  available: () => installed('fortio', ['fortio', 'version'], 'install it from its releases page'),
  supports: (cell) =>
    supportsCapacityOnly(cell, 'fortio is closed per connection: it waits for each answer and skips late calls'),
  async fire(path, { cell }, hooks) {
    const folder = await mkdtemp(join(tmpdir(), 'dpb-fortio-'))
    try {
      const file = join(folder, 'payload')
      await writeFile(file, payloadOf(cell.payloadBytes))
      const payload = cell.payloadBytes > 0 ? ['-payload-file', file] : []
      const url = urlOf(path.target, cell)
      return parseFortio(
        await warmThenMeasure('fortio', path.client, cell, hooks, (seconds) => [
          ...['fortio', 'load', '-quiet', '-json', '-', '-qps', '0', '-uniform', '-nocatchup'],
          ...['-r', resolutionSeconds, '-c', String(cell.connections), '-t', `${seconds}s`, ...payload, url],
        ]),
      )
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
})
