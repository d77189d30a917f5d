/** What a program sees of moved sockets, beside what it sees of TCP in the pod (the guest’s own kernel has no IPv6). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { layGuest, type TestGuest, type Way, ways } from './guest.ts'
import { farAddress } from './relay.ts'

/** A node proxy takes every connection before it knows whether somebody listens, so nobody is refused there. */
const refusing = ['refused', 'refused_and_asked_by_connecting_again', 'refused_and_tried_again']

const looks = (output: string): Map<string, string> =>
  new Map(
    output
      .split('\n')
      .filter(Boolean)
      .map((line) => [line.slice(0, line.indexOf(' ')), line]),
  )

describe('moved sockets', () => {
  let laid: TestGuest
  let tcp: Map<string, string>
  beforeAll(async () => {
    laid = await layGuest()
    tcp = looks(await laid.pod.run(['python3', laid.program('semantics.py'), '127.0.0.1', '127.0.0.1']))
  })
  afterAll(() => laid.scope.close())

  const seen = async (way: Way, address: string, own = address): Promise<Map<string, string>> =>
    looks(await laid.guest.run(laid.moved(way, ['python3', laid.program('semantics.py'), address, own])))

  it('have many looks to compare', () => {
    expect(tcp.size).toBeGreaterThan(28)
    expect([...tcp.values()].filter((line) => line.includes('raised'))).toEqual([])
  })

  describe.each(ways)('by %s', (way) => {
    it('are as TCP on the loopback', async () => {
      expect(await seen(way, '127.0.0.1')).toEqual(tcp)
    })

    it('are as TCP on the pod’s own address', async () => {
      expect(await seen(way, laid.address)).toEqual(tcp)
    })

    it('are as TCP across the device, but for refusals', async () => {
      const across = await seen(way, farAddress, laid.address)
      for (const look of refusing) across.set(look, tcp.get(look) ?? '')
      expect(across).toEqual(tcp)
    })
  })
})

describe('signals that rain while a program connects', () => {
  let laid: TestGuest
  beforeAll(async () => {
    laid = await layGuest()
  })
  afterAll(() => laid.scope.close())

  const rained = (way: Way, address: string): Promise<string> =>
    laid.guest.run(laid.moved(way, ['python3', laid.program('signals.py'), address]))

  it.each(['supervisor with preload', 'preload'] as const)('do no harm by %s', async (way) => {
    for (const address of ['127.0.0.1', laid.address, farAddress])
      expect(await rained(way, address)).toBe('True True []\n')
  })

  it('interrupt calls by supervisor alone, and do no other harm', async () => {
    for (const address of ['127.0.0.1', laid.address, farAddress])
      expect(await rained('supervisor', address)).toMatch(
        /^(True|False) True \[('InterruptedError')?(, )?('OSError')?\]\n$/,
      )
  })
})

describe('the supervisor', () => {
  let laid: TestGuest
  beforeAll(async () => {
    laid = await layGuest()
  })
  afterAll(() => laid.scope.close())

  const shell = (script: string): string[] => ['sh', '-c', script]
  const supervised = (script: string): Promise<string> => laid.guest.run(laid.moved('supervisor', shell(script)))
  const outside = (script: string): Promise<string> => {
    const [tool = ''] = laid.moved('supervisor', [])
    return laid.guest.run(['env', `T=${tool}`, ...shell(script)])
  }

  it('ends as its program', async () => {
    await expect(supervised('exit 7')).rejects.toMatchObject({ exitCode: 7 })
    expect(await outside('$T sh -c "kill -9 \\$\\$"; echo $?')).toContain('137')
    expect(await outside('$T no-such-program; echo $?')).toBe('127\n')
    expect(await supervised('echo out')).toBe('out\n')
  })

  it('passes signals on', async () => {
    const script =
      'mkfifo /tmp/f; $T sh -c \'trap "echo got; exit 9" TERM; echo up > /tmp/f; while :; do sleep 0.05; done\' & p=$!; read x < /tmp/f; kill $p; wait $p; echo $?'
    expect(await outside(script)).toBe('got\n9\n')
  })

  it('takes its program with it, and goes with it', async () => {
    const script = `mkfifo /tmp/g; $T sh -c 'echo $PPID $$ > /tmp/g; exec sleep 1000' & front=$!
      read supervisor program < /tmp/g; kill -9 $1; wait $front; echo $?
      while kill -0 $program 2>/dev/null || kill -0 $supervisor 2>/dev/null; do :; done; echo gone`
    const killed = (who: string): Promise<string> => outside(`rm -f /tmp/g; ${script.replace('$1', who)}`)
    expect(await killed('$supervisor')).toMatch(/137\s+gone/)
    expect(await killed('$front')).toMatch(/137\s+gone/)
  })

  it('serves what its program leaves running', async () => {
    const listener = 'import socket; l = socket.create_server(("", 8099)); c, n = l.accept(); c.sendall(n[0].encode())'
    const script = `$T sh -c 'python3 -c "${listener.replaceAll('"', '\\"')}" >/dev/null 2>&1 &'; echo $?
      until $T python3 -c 'import socket; print(socket.create_connection(("127.0.0.1", 8099)).recv(64).decode())' 2>/dev/null; do :; done`
    expect(await outside(script)).toBe('0\n127.0.0.1\n')
  })

  it('is not there twice', async () => {
    expect(await outside('$T $T $T echo once')).toBe('once\n')
  })

  it('leaves a program alone that is to be left alone', async () => {
    const domain =
      'import socket; s = socket.socket(); print(s.fileno() >= 0, open("/proc/self/status").read().count("Seccomp:\\t2"))'
    expect(await outside(`$T python3 -c '${domain}'; DPB_TSI=off $T python3 -c '${domain}'`)).toBe('True 1\nTrue 0\n')
  })
})
