/** autocannon: closed-loop HTTP capacity from its raw response events; autocannon-child.mjs runs it in the client. */
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Firing } from '../../harness/contracts.ts'
import { defineDriver } from '../../harness/define.ts'
import { died, runTool } from './parts/child-run.ts'
import { closedFiring, payloadOf, supportsCapacityOnly, urlOf } from './parts/closed-loop.ts'

const child = fileURLToPath(new URL('autocannon-child.mjs', import.meta.url))

/** What the child is told, as JSON in its first argument. */
export interface ChildOptions {
  readonly url: string
  readonly body: string
  readonly connections: number
  readonly warmupSeconds: number
  readonly durationSeconds: number
}

const resultSchema = z.object({
  event: z.literal('result'),
  done: z.number(),
  errors: z.record(z.string(), z.number()),
  wallSeconds: z.number().positive(),
  cpuSeconds: z.number(),
  serviceHdr: z.string(),
  sliceMs: z.number(),
  slicesP50Ns: z.array(z.number()),
  version: z.string(),
})

const eventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('measuring') }),
  z.object({ event: z.literal('measured') }),
  resultSchema,
])

function parseEvent(line: string): z.infer<typeof eventSchema> | undefined {
  try {
    return eventSchema.safeParse(JSON.parse(line)).data
  } catch {
    return undefined
  }
}

function firingOf(result: z.infer<typeof resultSchema>): Firing {
  const { done, errors, wallSeconds, cpuSeconds, serviceHdr, sliceMs, slicesP50Ns, version } = result
  const slices = { sliceMs, p50Ns: slicesP50Ns }
  return closedFiring({ done, errors, wallSeconds, driverVersion: version }, { serviceHdr, cpuSeconds, slices })
}

export default defineDriver({
  name: 'autocannon',
  about: 'autocannon (Node): closed-loop HTTP capacity, as a second opinion',
  available: async () => ({ ok: true }),
  supports: (cell) =>
    supportsCapacityOnly(cell, 'autocannon is closed loop, and Node cannot keep planned send times to the microsecond'),
  async fire(path, { cell }, hooks) {
    const options: ChildOptions = {
      url: urlOf(path.target, cell),
      body: payloadOf(cell.payloadBytes),
      connections: cell.connections,
      warmupSeconds: cell.warmupSeconds,
      durationSeconds: cell.durationSeconds,
    }
    let firing: Firing | undefined
    const onLine = (line: string): void => {
      const event = parseEvent(line)
      if (event?.event === 'measuring') hooks.measuring()
      else if (event?.event === 'measured') hooks.measured()
      else if (event?.event === 'result') firing = firingOf(event)
    }
    const argv = [process.execPath, child, JSON.stringify(options)]
    const output = await runTool(path.client, { driver: 'autocannon', argv, onLine }, hooks)
    if (!firing) throw died('autocannon', 'ended without a result', output)
    return firing
  },
})
