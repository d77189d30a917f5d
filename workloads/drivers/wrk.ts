/**
 * wrk, when installed: closed-loop HTTP capacity. Its counts come from a script's `done` hook; its latencies are left
 * out, because wrk 4 fills them up with samples it supposes (stats_correct in its wrk.c) before anyone can read them.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { Firing } from '../../harness/contracts.ts'
import { defineDriver } from '../../harness/define.ts'
import { died } from './parts/child-run.ts'
import { closedFiring, happened, installed, payloadOf, supportsCapacityOnly, urlOf } from './parts/closed-loop.ts'
import { warmThenMeasure } from './parts/phases.ts'

const doneSchema = z.object({
  requests: z.number(),
  durationUs: z.number().positive(),
  errors: z.record(z.string(), z.number()),
})

/** The hook's line in wrk's output; `errors` are wrk's own five kinds in the words of the record. */
export function parseWrk(output: string): Firing {
  const line = output.split('\n').find((text) => text.startsWith('{"requests"'))
  const version = /wrk (\S+)/.exec(output)?.[1] ?? 'wrk 4'
  const summary = line ? doneSchema.safeParse(safeJson(line)).data : undefined
  if (!summary) throw died('wrk', 'ended without a result', output)
  const errors = happened(summary.errors)
  return closedFiring({
    // wrk counts an answer with a bad status as a request too
    done: summary.requests - (errors['status-not-ok'] ?? 0),
    errors,
    wallSeconds: summary.durationUs / 1e6,
    driverVersion: version,
  })
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Lua: what to send, and one line of JSON at the end. */
export function luaScript(payloadBytes: number): string {
  const request = payloadBytes > 0 ? `wrk.method = "POST"\nwrk.body = "${payloadOf(payloadBytes)}"\n` : ''
  return `${request}function done(summary)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"durationUs":%d,"errors":{"connect-refused":%d,"reset":%d,"status-not-ok":%d,"timeout":%d}}\\n',
    summary.requests, summary.duration, e.connect, e.read + e.write, e.status, e.timeout))
end
`
}

export default defineDriver({
  name: 'wrk',
  about: 'wrk: closed-loop HTTP capacity, as a second opinion',
  // wrk -v ends with 1, so a help text on stdout or stderr would not do: ask the shell's own lookup
  available: () => installed('wrk', ['sh', '-c', 'command -v wrk'], 'install it, e.g. apt-get install wrk'),
  supports: (cell) => supportsCapacityOnly(cell, 'wrk is closed loop: a slow answer delays the next request'),
  async fire(path, { cell }, hooks) {
    const folder = await mkdtemp(join(tmpdir(), 'dpb-wrk-'))
    try {
      const script = join(folder, 'load.lua')
      await writeFile(script, luaScript(cell.payloadBytes))
      const url = urlOf(path.target, cell)
      return parseWrk(
        await warmThenMeasure('wrk', path.client, cell, hooks, (seconds) => [
          ...['wrk', '--threads', '1', '--connections', String(cell.connections)],
          ...['--duration', `${seconds}s`, '--script', script, url],
        ]),
      )
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
})
