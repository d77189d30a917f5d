/** Every mode for real: it stands and carries every kind of load with all facts; broken on purpose, facts fail. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Mode } from '../../harness/contracts.ts'
import { chooseModes } from '../../harness/variants.ts'
import { drive, failed, type LaidMode, layMode, loads } from '../testing/laid-mode.ts'
import ambient from './ambient.ts'
import baseline from './baseline.ts'
import sidecar from './sidecar.ts'
import waypoint from './waypoint.ts'

/** Every mode, and what it can be varied by. */
const variants = ['baseline', 'sidecar', 'ambient', 'ambient@proxy=tunnel', 'waypoint']
const modes = chooseModes([baseline, sidecar, ambient, waypoint], variants, {})
const http = loads['http capacity']
if (!http) throw new Error('no load')

/**
 * Counters judged by no travelled fact: segments are only shown, sockets are judged when standing, and the server's
 * bytes mean nothing where a proxy rewrites HTTP heads.
 */
const shownOnly = (mode: Mode): RegExp =>
  ['sidecar', 'waypoint'].includes(mode.name) ? /^segments\.|\.sockets$|^echo\.bytes/ : /^segments\.|\.sockets$/

describe.each(modes)('$name', (mode) => {
  describe.each(['cross-node', 'same-node'] as const)('%s', (placement) => {
    let laid: LaidMode
    beforeAll(async () => {
      laid = await layMode(mode, placement)
    })
    afterAll(() => laid.scope.close())

    it('stands as it claims', async () => {
      expect(failed(laid.path.standing(await laid.path.observe()))).toEqual([])
    })

    it.each(Object.entries(loads))('proves the path of %s', async (_name, load) => {
      const { facts, done } = await drive(laid, load)
      expect(failed(facts)).toEqual([])
      expect(done).toBeGreaterThan(0)
    })

    it('asserts every counter that it reads', async () => {
      const { before, after, traffic } = await drive(laid, http)
      const judge = (key: string, by: number): string[] =>
        failed(
          laid.path.travelled(
            before,
            { ...after, counters: { ...after.counters, [key]: (after.counters[key] ?? 0) + by } },
            traffic,
          ),
        )
      const unseen = Object.keys(after.counters).filter(
        (key) => !shownOnly(mode).test(key) && judge(key, 1e12).length === 0 && judge(key, -1e12).length === 0,
      )
      expect(unseen).toEqual([])
    })

    it('has a counter for every hop of its picture that shows one', async () => {
      const { counters } = await laid.path.observe()
      const keys = laid.path.picture.hops.flatMap((hop) => hop.counters.map((counter) => counter.key))
      expect(keys.filter((key) => !(key in counters))).toEqual([])
    })
  })
})

interface Breakage {
  readonly mode: Mode
  readonly how: string
  readonly breakIt: (laid: LaidMode) => Promise<unknown>
  /** Words of a claim that must fail: before the shot (standing) or after it (travelled). */
  readonly standing?: RegExp
  readonly travelled?: RegExp
}

const stop = (laid: LaidMode, component: string): Promise<void> => {
  const pids = laid.bed.components.find((candidate) => candidate.name === component)?.pids() ?? []
  if (pids.length === 0) throw new Error(`${component} does not run`)
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  return waitUntilGone(laid, component)
}

async function waitUntilGone(laid: LaidMode, component: string): Promise<void> {
  const group = laid.bed.components.find((candidate) => candidate.name === component)
  while ((group?.pids() ?? []).length > 0) await new Promise((resolve) => setImmediate(resolve))
}

const flush = (place: LaidMode['bed']['client']): Promise<string> => place.run(['iptables-restore'], '*nat\nCOMMIT\n')

const breakages: readonly Breakage[] = [
  {
    mode: baseline,
    how: 'a redirect rule appears in the client pod',
    breakIt: ({ bed }) =>
      bed.client.run(['iptables', '-t', 'nat', '-A', 'OUTPUT', '-p', 'tcp', '--dport', '9', '-j', 'REDIRECT']),
    standing: /no rule in the client pod/,
  },
  {
    mode: sidecar,
    how: 'the rules of both pods are flushed: the traffic goes past the sidecars in plaintext',
    breakIt: async ({ bed }) => [await flush(bed.clientPod.place), await flush(bed.serverPod.place)],
    standing: /exactly istio-init/,
    travelled: /rule 9 of the client pod|no application byte is readable/,
  },
  {
    mode: sidecar,
    how: 'one rule is missing',
    breakIt: ({ bed }) => bed.serverPod.place.run(['iptables', '-t', 'nat', '-D', 'ISTIO_OUTPUT', '1']),
    standing: /the server pod holds exactly/,
  },
  {
    mode: sidecar,
    how: 'the client sidecar is killed',
    breakIt: (laid) => stop(laid, 'client sidecar'),
    standing: /client sidecar is the pinned/,
    travelled: /rule 9 of the client pod/,
  },
  {
    mode: ambient,
    how: 'the client pod’s rules are flushed: the traffic enters the server pod in plaintext',
    breakIt: ({ bed }) => flush(bed.clientPod.place),
    standing: /the client pod holds exactly/,
    travelled: /nothing entered the server pod in plaintext|no application byte is readable/,
  },
  {
    mode: ambient,
    how: 'the client’s node proxy is killed',
    breakIt: (laid) => stop(laid, 'n1 node proxy'),
    standing: /client’s node proxy is the pinned/,
    travelled: /captured every connection/,
  },
  {
    mode: ambient,
    how: 'the node proxy has a socket outside the pods',
    breakIt: ({ bed }) =>
      bed.clientPod.node.place.spawn({
        component: 'stray',
        role: 'probe',
        argv: [
          'python3',
          '-c',
          'import socket,time; s=socket.create_server(("127.0.0.1",0)); print("up",flush=True); time.sleep(60)',
        ],
        pin: 'none',
        ready: /up/,
      }),
    standing: /no socket outside the pods/,
  },
  {
    mode: waypoint,
    how: 'the waypoint is killed',
    breakIt: (laid) => stop(laid, 'waypoint'),
    standing: /waypoint is the pinned/,
    travelled: /every tunnel of the client ended at the waypoint/,
  },
]

describe.each(breakages)('$mode.name, broken on purpose: $how', (breakage) => {
  let laid: LaidMode
  beforeAll(async () => {
    laid = await layMode(breakage.mode)
    await breakage.breakIt(laid)
  })
  afterAll(() => laid.scope.close())

  it('is seen', async () => {
    const standing = laid.path.standing(await laid.path.observe())
    const { facts } = await drive(laid, http)
    if (breakage.standing) expect(failed(standing).join('\n')).toMatch(breakage.standing)
    if (breakage.travelled) expect(failed(facts).join('\n')).toMatch(breakage.travelled)
  })
})
