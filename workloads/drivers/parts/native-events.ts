/** The JSON lines of native/load (native/PROTOCOL.md), checked where they enter. */
import { z } from 'zod'
import type { Firing } from '../../../harness/contracts.ts'

const count = z.number().nonnegative()
const histogram = z.string().nullable()

const resultSchema = z.object({
  event: z.literal('result'),
  planned: count,
  sent: count,
  done: count,
  errors: z.record(z.string(), count),
  wallSeconds: count,
  latencyHdr: histogram,
  serviceHdr: histogram,
  latenessHdr: histogram,
  streamBytes: count,
  connectionsDone: count,
  cpuSeconds: count.nullable(),
  spinSeconds: count,
  sliceMs: count,
  slicesP50Ns: z.array(count),
  traffic: z.object({ connections: count, requests: count, bytesSent: count, bytesReceived: count }),
})

const eventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('ready'), version: z.string() }),
  z.object({ event: z.literal('measuring') }),
  z.object({ event: z.literal('measured') }),
  z.object({ event: z.literal('error'), code: z.string(), message: z.string() }),
  resultSchema,
])

export type NativeEvent = z.infer<typeof eventSchema>

/** The event of a line, or undefined if the line is none: a result that is cut or odd must not become a number. */
export function parseEvent(line: string): NativeEvent | undefined {
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch {
    return undefined
  }
  return eventSchema.safeParse(json).data
}

export function firingOf(result: z.infer<typeof resultSchema>, driverVersion: string): Firing {
  const { event: _, sliceMs, slicesP50Ns, ...counts } = result
  return { ...counts, slices: { sliceMs, p50Ns: slicesP50Ns }, driverVersion }
}
