/** Real programs, unmodified, on moved sockets: server and client in the guest, and the device between them. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sh } from '../../../harness/shell.ts'
import { layGuest, type TestGuest, type Way } from './guest.ts'
import { farAddress } from './relay.ts'

/** The library's way beside the one that needs it not; both at once are compared with TCP in semantics.netns.test.ts. */
const ways = ['supervisor', 'preload'] as const

const postgresBin = (): string => {
  const [version] = readdirSync('/usr/lib/postgresql').sort((one, other) => Number(other) - Number(one))
  return join('/usr/lib/postgresql', version ?? '', 'bin')
}

describe.each(ways)('by %s', (way) => {
  let laid: TestGuest
  beforeAll(async () => {
    laid = await layGuest()
  })
  afterAll(() => laid.scope.close())

  const run = (...argv: string[]): Promise<string> => laid.guest.run(laid.moved(way, argv))
  const far = (port: number, path = '/'): string => `http://${farAddress}:${port}${path}`
  const named = (): string => `${farAddress} to ${laid.address}\n`

  async function serving<T>(ready: RegExp, argv: readonly string[], use: () => Promise<T>, by: Way = way): Promise<T> {
    const spec = { component: `${argv[0]}`.replaceAll('/', '-'), role: 'server', pin: 'none', ready } as const
    const proc = await laid.guest.spawn({ ...spec, argv: laid.moved(by, argv), readyTimeoutMs: 60_000 })
    try {
      return await use()
    } finally {
      await proc.stop()
    }
  }

  it('bytes arrive: 1 GiB both ways, 10,000 short connections, 500 at once, half closed, server first', async () => {
    const contents = laid.program('contents.py')
    const answer = await serving(/ready/, ['python3', contents, 'serve', '8070'], () =>
      run('python3', contents, 'call', farAddress, '8070'),
    )
    const serverFirst = '220 ready\nhello'
    expect(JSON.parse(answer)).toEqual({ sent: true, received: true, short: 10_000, atOnce: 500, serverFirst })
    expect(laid.relay.destinations.get(`${farAddress}:8070`)).toBe(10_502)
  }, 300_000)

  it('curl and Python’s HTTP server', async () => {
    const server = ['python3', '-u', '-m', 'http.server', '-d', '/usr/share/common-licenses', '8071']
    const page = await serving(/Serving/, server, () => run('curl', '-sS', far(8071, '/GPL-3')))
    expect(page).toBe(await laid.guest.read('/usr/share/common-licenses/GPL-3'))
  })

  it('curl is refused by who is not there', async () => {
    await expect(run('curl', '-sS', 'http://127.0.0.1:9/')).rejects.toThrow(/\(7\).*Couldn't connect/)
    await expect(run('curl', '-sS', `http://${laid.address}:9/`)).rejects.toThrow(/\(7\).*Couldn't connect/)
  })

  it('Node’s HTTP, both ends', async () => {
    const web = laid.program('web.mjs')
    const answer = await serving(/ready/, ['node', web, 'serve', '8072'], () => run('node', web, 'get', far(8072)))
    expect(answer).toBe(`::ffff:${farAddress} to ::ffff:${laid.address}\n`)
  })

  it('a JVM’s HttpServer, HttpClient and Socket', async () => {
    const java = ['java', '-Xmx64m', '-XX:+UseSerialGC', laid.program('Web.java')]
    const answer = await serving(/ready/, [...java, 'serve', '8073'], () => run(...java, 'get', far(8073)))
    expect(answer).toBe(`${named()}true true\n`)
  }, 120_000)

  it('nginx as server, as proxy, and for files both ways; wrk', async () => {
    await laid.guest.run(['sh', '-c', 'mkdir -p /tmp/files; head -c 50000000 /dev/urandom > /tmp/sent'])
    const server = ['nginx', '-c', laid.program('nginx.conf')]
    await serving(/start worker|using the/, [...server, '-g', 'error_log stderr notice;'], async () => {
      expect(await run('curl', '-sS', far(8081))).toBe(named())
      await run('curl', '-sSf', '-T', '/tmp/sent', far(8081, '/files/kept'))
      await run('curl', '-sSf', '-o', '/tmp/received', far(8082, '/files/kept'))
      await laid.guest.run(['cmp', '/tmp/sent', '/tmp/received'])
      const report = await run('wrk', '-t1', '-c16', '-d2', far(8082))
      expect(report).toMatch(/\d+ requests in/)
      expect(report).not.toMatch(/Socket errors|Non-2xx/)
    })
  }, 120_000)

  it('Redis, with pipelines and many clients', async () => {
    const server = ['redis-server', '--port', '6379', '--save', '', '--dir', '/tmp', '--protected-mode', 'no']
    await serving(/Ready to accept/, server, async () => {
      const redis = (...words: string[]): Promise<string> => run('redis-cli', '-h', farAddress, ...words)
      expect(await redis('set', 'key', 'x'.repeat(10_000))).toBe('OK\n')
      expect(await redis('strlen', 'key')).toBe('10000\n')
      expect(await redis('client', 'list')).toContain(` addr=${farAddress}:`)
      const benchmark = ['redis-benchmark', '-h', farAddress, '-n', '5000', '-c', '50', '-P', '4', '-t', 'incr', '-q']
      await run(...benchmark)
      expect(await redis('get', 'counter:__rand_int__')).toBe('5000\n')
    })
  }, 120_000)

  it('PostgreSQL, with its processes and its Unix socket', async () => {
    const bin = postgresBin()
    const asUser = ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups']
    const data = '/tmp/postgres'
    await laid.guest.run(['install', '-d', '-o', 'postgres', data])
    await laid.guest.run([...asUser, join(bin, 'initdb'), '-A', 'trust', '-D', data])
    await laid.guest.run(['sh', '-c', `echo 'host all all all trust' >> ${data}/pg_hba.conf`])
    const settings = ['listen_addresses=*', `unix_socket_directories=${data}`, 'fsync=off', 'shared_buffers=8MB']
    const options = [...settings, 'dynamic_shared_memory_type=mmap'].flatMap((setting) => ['-c', setting])
    const server = [...asUser, join(bin, 'postgres'), '-D', data, ...options]
    await serving(/ready to accept/, server, async () => {
      const ask = (host: string, text: string): Promise<string> =>
        run('psql', '-h', host, '-U', 'postgres', '-Atc', text)
      expect(await ask(farAddress, 'select inet_client_addr(), inet_server_addr(), inet_server_port()')).toBe(
        `${farAddress}|${laid.address}|5432\n`,
      )
      const rows = 'select g, md5(g::text) from generate_series(1, 100000) g'
      expect(await ask(farAddress, rows)).toBe(await ask(data, rows))
      expect(await ask('127.0.0.1', 'select 1')).toBe('1\n')
    })
  }, 180_000)
})

describe('a static Go program', () => {
  let laid: TestGuest
  let web = ''
  beforeAll(async () => {
    laid = await layGuest()
    web = laid.program('web')
    const build = ['go', 'build', '-o', web, laid.program('web.go')]
    await sh(build, { env: { CGO_ENABLED: '0', GO111MODULE: 'off' }, timeoutMs: 120_000 })
  }, 150_000)
  afterAll(() => laid.scope.close())

  it.each([
    ['across the device', (port: number) => `http://${farAddress}:${port}/`, farAddress],
    ['on the loopback', (port: number) => `http://127.0.0.1:${port}/`, '127.0.0.1'],
  ])('serves and calls %s', async (_where, url, caller) => {
    const proc = await laid.guest.spawn({
      component: 'web',
      role: 'server',
      pin: 'none',
      ready: /ready/,
      argv: laid.moved('supervisor', [web, 'serve', ':8080']),
    })
    const answer = await laid.guest.run(laid.moved('supervisor', [web, 'get', url(8080)]))
    expect(answer.split(' to ')[0]).toBe(caller)
    await proc.stop()
  })

  it('keeps to the real loopback what it listens on there', async () => {
    const proc = await laid.guest.spawn({
      component: 'web',
      role: 'server',
      pin: 'none',
      ready: /ready/,
      argv: laid.moved('supervisor', [web, 'serve', '127.0.0.1:8080']),
    })
    const get = (to: string): Promise<string> =>
      laid.guest.run(laid.moved('supervisor', [web, 'get', `http://${to}:8080/`]))
    expect(await get('127.0.0.1')).toBe('127.0.0.1 to 127.0.0.1:8080\n')
    await expect(get(laid.address)).rejects.toThrow(/connection refused/)
    await proc.stop()
  })
})
