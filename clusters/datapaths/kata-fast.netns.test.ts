/** The fast path for real: over Unix sockets and fused, each end in a sandbox, and what is seen when it is not as claimed. */
import { describe } from 'vitest'
import { chooseModes } from '../../harness/variants.ts'
import { type Breakage, provesItsPath, seesBreakages, stop } from '../testing/mode-suite.ts'
import kataFast from './kata-fast.ts'
import kataFastFused from './kata-fast-fused.ts'
import kataSidecarOut from './kata-sidecar-out.ts'

/** Segments are shown, save where a stack must be silent; sockets are judged when standing; sidecars rewrite HTTP heads. */
const shownOnly = /^segments\.|\.sockets$|^echo\.bytes/

const variants = [
  'kata-fast',
  'kata-fast@sandboxed=server',
  'kata-fast@proxy=tunnel@sandboxed=both',
  'kata-fast-fused@tsi=preload',
  'kata-fast-fused@sandboxed=both',
  'kata-sidecar-out',
  'kata-sidecar-out@sandboxed=both',
]

describe.each(chooseModes([kataFast, kataFastFused, kataSidecarOut], variants, {}))('$name', (mode) => {
  provesItsPath(mode, 'cross-node', shownOnly)
})

const breakages: readonly Breakage[] = [
  {
    mode: kataFast,
    how: 'the driver runs beside the sandbox, with the TCP of the host’s kernel',
    breakIt: async (laid) => Object.assign(laid.path, { client: laid.bed.clientPod.place }),
    travelled: /the client’s device took every connection/,
  },
  {
    mode: kataFast,
    how: 'the device is killed',
    breakIt: (laid) => stop(laid, 'client sandbox device'),
    standing: /a guest is attached to the client’s device/,
    travelled: /the client’s device took every connection/,
  },
  {
    mode: kataFast,
    how: 'the guest is killed',
    breakIt: (laid) => stop(laid, 'client sandbox'),
    standing: /a guest is attached to the client’s device/,
  },
  {
    mode: kataFast,
    how: 'the guest speaks TCP after all, on its loopback',
    breakIt: ({ path }) =>
      path.client.spawn({
        component: 'stray',
        role: 'probe',
        pin: 'none',
        ready: /up/,
        argv: [
          'python3',
          '-uc',
          [
            'import socket,time',
            'l=socket.create_server(("127.0.0.1",7)); c=socket.create_connection(("127.0.0.1",7)); a,_=l.accept()',
            'print("up")',
            'while True: c.send(b"x"); a.recv(1); time.sleep(.01)',
          ].join('\n'),
        ],
      }),
    travelled: /the client’s guest used no TCP stack/,
  },
  {
    mode: kataFast,
    how: 'a TCP socket and its segments appear in the pod',
    breakIt: ({ bed }) =>
      bed.clientPod.place.spawn({
        component: 'stray',
        role: 'probe',
        pin: 'none',
        ready: /up/,
        argv: [
          'python3',
          '-uc',
          [
            'import socket,time',
            'l=socket.create_server(("127.0.0.1",0)); c=socket.create_connection(l.getsockname()); a,_=l.accept()',
            'print("up")',
            'while True: c.send(b"x"); a.recv(1); time.sleep(.01)',
          ].join('\n'),
        ],
      }),
    standing: /no TCP socket in the client pod/,
    travelled: /the pod’s own is silent/,
  },
  {
    mode: kataFast,
    how: 'a rule appears in the pod',
    breakIt: ({ bed }) => bed.clientPod.place.run(['iptables', '-t', 'nat', '-A', 'OUTPUT', '-j', 'ACCEPT']),
    standing: /no rule in the client pod/,
  },
  {
    mode: kataFast,
    how: 'the client’s node proxy is killed',
    breakIt: (laid) => stop(laid, 'n1 node proxy'),
    standing: /client’s node proxy is the pinned/,
    travelled: /the client’s device took every connection|was refused nothing/,
  },
  {
    mode: kataFastFused,
    how: 'device and node proxy, which are one, are killed',
    breakIt: (laid) => stop(laid, 'n1 node proxy'),
    standing: /a guest is attached to the client’s device/,
    travelled: /the client’s device took every connection/,
  },
  {
    mode: kataFastFused,
    how: 'the program asks for another destination, too',
    breakIt: async (laid) => {
      const { client } = laid.path
      const elsewhere = ['sh', '-c', 'curl -sS -m 1 http://10.10.2.99/ || true']
      const run: typeof client.run = async (argv, input) => {
        await client.run(elsewhere)
        return client.run(argv, input)
      }
      Object.assign(laid.path, { client: { name: client.name, spawn: client.spawn, run } })
    },
    travelled: /the client asked for nothing else, and was refused nothing/,
  },
  {
    mode: kataSidecarOut,
    how: 'the sidecar outside is killed',
    breakIt: (laid) => stop(laid, 'client sidecar'),
    standing: /client sidecar is the pinned/,
    travelled: /the client’s device took every connection/,
  },
]

seesBreakages(breakages)
