/** Words for judging: each makes one fact from numbers, with the numbers as evidence. A number that could not be read is NaN and never agrees. */
import type { Fact, Observation, Traffic } from '../../harness/contracts.ts'

export type Numbers = Readonly<Record<string, number | null>>

const list = (numbers: Numbers): string =>
  Object.entries(numbers)
    .map(([name, value]) => `${name} ${value === null ? 'not told' : Number.isNaN(value) ? 'not readable' : value}`)
    .join(', ')

/** Change of a counter over a shot; NaN where either reading lacks it. */
export const changes =
  (before: Observation, after: Observation) =>
  (key: string): number =>
    (after.counters[key] ?? Number.NaN) - (before.counters[key] ?? Number.NaN)

const agree = (numbers: Numbers): boolean =>
  new Set(Object.values(numbers).filter((value) => value !== null)).size === 1

/** All numbers that were told are equal, and above zero. A driver that cannot tell (null) leaves the others to agree. */
export function same(claim: string, numbers: Numbers): Fact {
  const holds = agree(numbers) && Object.values(numbers).every((value) => value === null || value > 0)
  return { claim, holds, evidence: list(numbers) }
}

/** All numbers are equal; zero is fine, e.g. where a pool had connections left from the shot before. */
export function equal(claim: string, numbers: Numbers): Fact {
  const readable = Object.values(numbers).every((value) => !Number.isNaN(value))
  return { claim, holds: readable && agree(numbers), evidence: list(numbers) }
}

/** None of it was seen. */
export function none(claim: string, numbers: Numbers): Fact {
  return { claim, holds: Object.values(numbers).every((value) => value === 0), evidence: list(numbers) }
}

/** Some of each was seen. */
export function some(claim: string, numbers: Numbers): Fact {
  return { claim, holds: Object.values(numbers).every((value) => (value ?? 0) > 0), evidence: list(numbers) }
}

/** A state is exactly this. */
export function is(claim: string, now: Observation, key: string, expected: string): Fact {
  const actual = now.states[key]
  return {
    claim,
    holds: actual === expected,
    evidence: actual === undefined ? `${key} not readable` : actual || 'nothing found against it',
  }
}

/**
 * What a stream leaves in socket and proxy buffers of one connection when it is cut at the end of its window; with a guest at
 * each end 37 MiB were seen.
 */
const streamSlackBytes = 64 * 1024 * 1024

/**
 * Bytes at a proxy agree with the driver's: to the byte for requests and answers; within the buffers of the open
 * connections for a stream, which ends in the middle.
 */
export function sameBytes(claim: string, traffic: Traffic, numbers: Numbers): Fact {
  if (traffic.test !== 'stream') return same(claim, numbers)
  const told = Object.values(numbers).filter((value) => value !== null)
  const slack = streamSlackBytes * (traffic.connections ?? 1)
  const spread = Math.max(...told) - Math.min(...told)
  const holds = told.every((value) => value > 0) && spread <= slack
  return { claim, holds, evidence: `${list(numbers)}; a stream may leave ${slack} in buffers` }
}

/**
 * What the server itself counted agrees with the driver. Raw TCP has no requests to count there. Where proxies look into HTTP, heads change on the way, so only
 * requests are compared there; `bytes` says that the path passes them untouched.
 */
export function served(change: (key: string) => number, traffic: Traffic, bytes: 'same bytes' | 'other heads'): Fact[] {
  const facts: Fact[] = []
  if (traffic.protocol === 'http')
    facts.push(
      same('the server answered what the driver asked', { driver: traffic.requests, server: change('echo.requests') }),
    )
  if (bytes === 'same bytes')
    facts.push(
      sameBytes('the server received what the driver sent', traffic, {
        driver: traffic.bytesSent,
        server: change('echo.bytesReceived'),
      }),
      sameBytes('the driver received what the server sent', traffic, {
        driver: traffic.bytesReceived,
        server: change('echo.bytesSent'),
      }),
    )
  return facts
}
