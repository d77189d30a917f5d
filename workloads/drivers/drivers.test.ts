import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decodeFromCompressedBase64 } from 'hdr-histogram-js'
import { describe, expect, it } from 'vitest'
import type { Cell, FireHooks } from '../../harness/contracts.ts'
import autocannon from './autocannon.ts'
import { parseFortio } from './fortio.ts'
import { drivers } from './index.ts'
import native, { argumentsFor } from './native.ts'
import { fakeClient } from './parts/fake-client.ts'
import { luaScript, parseWrk } from './wrk.ts'

const capacity: Cell = {
  test: 'capacity',
  loop: 'closed',
  protocol: 'http',
  direction: 'both',
  newConnections: false,
  ratePerSecond: null,
  loadPercent: null,
  connections: 2,
  payloadBytes: 64,
  warmupSeconds: 0.2,
  durationSeconds: 0.5,
}
const latency: Cell = { ...capacity, test: 'latency', loop: 'open', ratePerSecond: 4000 }
const target = { host: '127.0.0.1', httpPort: 8080, tcpPort: 8081 }

function hooksOf(signal = new AbortController().signal): FireHooks & { seen: string[] } {
  const seen: string[] = []
  return { seen, signal, measuring: () => seen.push('measuring'), measured: () => seen.push('measured') }
}

const result = {
  event: 'result',
  ...{ planned: 10, sent: 10, done: 9, errors: { timeout: 1 }, wallSeconds: 1 },
  ...{ latencyHdr: 'x', serviceHdr: 'y', latenessHdr: null, streamBytes: 0, connectionsDone: 0 },
  ...{ cpuSeconds: 0.5, spinSeconds: 0.1, sliceMs: 1000, slicesP50Ns: [1, 2] },
  traffic: { connections: 2, requests: 12, bytesSent: 100, bytesReceived: 90 },
}
const print = (...events: unknown[]): string =>
  events.map((e) => `console.log(${JSON.stringify(JSON.stringify(e))})`).join(';')
const ready = { event: 'ready', version: '1.2' }
const windowEvents = [{ event: 'measuring' }, { event: 'measured' }]

describe('native', () => {
  it('tells the tool everything about the shot', () => {
    const argv = argumentsFor({ target, client: {} }, { cell: latency, seed: 7 }).join(' ')
    expect(argv).toContain(
      '--target 127.0.0.1 --http-port 8080 --tcp-port 8081 --test latency --protocol http --rate 4000',
    )
    expect(argv).toContain('--connections 2 --payload 64 --warmup 0.2 --duration 0.5 --seed 7')
    expect(argumentsFor({ target, client: {} }, { cell: capacity, seed: 1 })).not.toContain('--rate')
    expect(argumentsFor({ target, client: { spinUs: 250 } }, { cell: capacity, seed: 1 }).join(' ')).toContain(
      '--spin-us 250',
    )
    const stream: Cell = { ...capacity, test: 'stream', protocol: 'tcp', direction: 'down', newConnections: true }
    expect(argumentsFor({ target, client: {} }, { cell: stream, seed: 1 })).toEqual(
      expect.arrayContaining(['stream-down', '--new-connections']),
    )
  })

  it('brings back the result and opens and closes the window', async () => {
    const { client, asked } = fakeClient(print(ready, ...windowEvents, result))
    const hooks = hooksOf()
    const firing = await native.fire({ target, client }, { cell: latency, seed: 7 }, hooks)
    expect(hooks.seen).toEqual(['measuring', 'measured'])
    expect(firing).toMatchObject({ done: 9, errors: { timeout: 1 }, driverVersion: '1.2', slices: { p50Ns: [1, 2] } })
    expect(firing.traffic.requests).toBe(12)
    expect(asked[0]).toMatchObject({ component: 'client', role: 'client', pin: 'driver' })
  })

  it.each([
    ['nothing at all', '', 'without a result'],
    ['a result that is cut', `console.log('{"event":"result","planned":1')`, 'without a result'],
    ['a result with a number missing', print({ ...result, done: undefined }), 'without a result'],
    [
      'an error event',
      `${print({ event: 'error', code: 'connect-refused', message: 'no one' })};process.exit(1)`,
      'connect-refused',
    ],
    ['a death with words', `console.error('broken thing');process.exit(7)`, 'broken thing'],
    ['a kill', `${print(ready, ...windowEvents)};process.kill(process.pid,'SIGKILL')`, 'SIGKILL'],
    ['a death after its result', `${print(result)};process.exitCode=3`, 'ended with 3'],
  ])('rejects %s', async (_what, script, says) => {
    const { client } = fakeClient(script)
    const fired = native.fire({ target, client }, { cell: latency, seed: 1 }, hooksOf())
    await expect(fired).rejects.toMatchObject({
      name: 'BenchError',
      exit: 'failed',
      message: expect.stringContaining(says),
    })
  })

  it('stops the process when aborted', async () => {
    const { client, started } = fakeClient('setInterval(() => {}, 1000)')
    const abort = new AbortController()
    const fired = native.fire({ target, client }, { cell: latency, seed: 1 }, hooksOf(abort.signal))
    const caught = expect(fired).rejects.toMatchObject({ exit: 'interrupted' })
    const proc = await started
    abort.abort()
    await caught
    expect(proc.alive).toBe(false)
  })

  it('starts nothing when aborted before', async () => {
    const { client, asked } = fakeClient('')
    const fired = native.fire({ target, client }, { cell: latency, seed: 1 }, hooksOf(AbortSignal.abort()))
    await expect(fired).rejects.toMatchObject({ exit: 'interrupted' })
    expect(asked).toHaveLength(0)
  })
})

describe('foreign drivers', () => {
  it('fire no open loop, nothing raw, no new connections', () => {
    for (const driver of drivers.filter(({ name }) => name !== 'native')) {
      expect(driver.supports(capacity).ok, driver.name).toBe(true)
      for (const cell of [latency, { ...capacity, protocol: 'tcp' as const }, { ...capacity, newConnections: true }])
        expect(driver.supports(cell).ok, driver.name).toBe(false)
    }
  })

  it('autocannon counts every answer of the window, in ns', async () => {
    const server = createServer((request, response) => request.pipe(response)).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    try {
      const { client } = fakeClient(null)
      const here = { ...target, httpPort: (server.address() as AddressInfo).port }
      const hooks = hooksOf()
      const firing = await autocannon.fire({ target: here, client }, { cell: capacity, seed: 1 }, hooks)
      expect(hooks.seen).toEqual(['measuring', 'measured'])
      expect(firing.errors).toEqual({})
      expect(firing.done).toBeGreaterThan(10)
      const histogram = decodeFromCompressedBase64(firing.serviceHdr ?? '')
      expect(histogram.totalCount).toBe(firing.done)
      expect(histogram.getValueAtPercentile(50)).toBeGreaterThan(1000)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }, 15_000)

  it('autocannon says how its child died', async () => {
    const { client } = fakeClient(`console.error('out of files');process.exit(1)`)
    const fired = autocannon.fire({ target, client }, { cell: capacity, seed: 1 }, hooksOf())
    await expect(fired).rejects.toMatchObject({ exit: 'failed', message: expect.stringContaining('out of files') })
  })

  it('wrk: counts of the hook, errors in the words of the record', () => {
    const line =
      '{"requests":100,"durationUs":2000000,"errors":{"connect-refused":0,"reset":2,"status-not-ok":5,"timeout":0}}'
    const firing = parseWrk(`Running 2s test\n${line}\n`)
    expect(firing).toMatchObject({ done: 95, errors: { reset: 2, 'status-not-ok': 5 }, wallSeconds: 2, sent: 102 })
    expect(firing.latencyHdr).toBeNull()
    expect(() => parseWrk('unable to connect')).toThrow(/unable to connect/)
    expect(luaScript(6)).toContain('wrk.body = "dpb!dp"')
    expect(luaScript(0)).not.toContain('POST')
  })

  it('fortio: counts by status, buckets in ns', () => {
    const data = [{ Start: 0.0001, End: 0.0002, Percent: 100, Count: 4 }]
    const output = { Version: '1.7', ActualDuration: 1e9, RetCodes: { 200: 4 }, DurationHistogram: { Data: data } }
    const firing = parseFortio(JSON.stringify(output))
    expect(firing).toMatchObject({ done: 4, wallSeconds: 1, driverVersion: '1.7' })
    expect(decodeFromCompressedBase64(firing.serviceHdr ?? '').maxValue).toBeCloseTo(200_000, -3)
    const refused = parseFortio(JSON.stringify({ ...output, RetCodes: { 200: 3, 503: 1, '-1': 1 } }))
    expect(refused).toMatchObject({ done: 3, errors: { 'status-503': 1, reset: 1 }, serviceHdr: null })
    expect(() => parseFortio('no json')).toThrow(/no JSON/)
    expect(() => parseFortio('{}')).toThrow(/unknown result/)
  })
})
