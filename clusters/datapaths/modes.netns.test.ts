/** Every mode for real: it stands and carries every kind of load with all facts; broken on purpose, facts fail. */
import { describe } from 'vitest'
import type { Mode } from '../../harness/contracts.ts'
import { chooseModes } from '../../harness/variants.ts'
import { type Breakage, flush, provesItsPath, seesBreakages, stop } from '../testing/mode-suite.ts'
import ambient from './ambient.ts'
import baseline from './baseline.ts'
import sidecar from './sidecar.ts'
import waypoint from './waypoint.ts'

/** Every mode, and what it can be varied by. */
const variants = ['baseline', 'sidecar', 'ambient', 'ambient@proxy=tunnel', 'waypoint']
const modes = chooseModes([baseline, sidecar, ambient, waypoint], variants, {})

/**
 * Counters judged by no travelled fact: segments are only shown, sockets are judged when standing, and the server's
 * bytes mean nothing where a proxy rewrites HTTP heads.
 */
const shownOnly = (mode: Mode): RegExp =>
  ['sidecar', 'waypoint'].includes(mode.name) ? /^segments\.|\.sockets$|^echo\.bytes/ : /^segments\.|\.sockets$/

describe.each(modes)('$name', (mode) => {
  for (const placement of ['cross-node', 'same-node'] as const) provesItsPath(mode, placement, shownOnly(mode))
})

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

seesBreakages(breakages)
