/** Modes with a tap, for real: each end in a sandbox, and what must be seen when something is not as claimed. */
import { describe, expect, it } from 'vitest'
import { chooseModes } from '../../harness/variants.ts'
import { drive, failed, layMode } from '../testing/laid-mode.ts'
import { type Breakage, flush, provesItsPath, seesBreakages, stop } from '../testing/mode-suite.ts'
import kata from './kata.ts'
import kataAmbient from './kata-ambient.ts'
import kataAmbientTcfilter from './kata-ambient-tcfilter.ts'
import kataSidecar from './kata-sidecar.ts'

/** Segments and the guard are shown, save where a stack must be silent; sockets are judged when standing. */
const shownOnly = /^segments\.|\.sockets$|\.guard$/

/** A rule by itself says nothing where all rules together must be still, and TLS counts nothing where none is used. */
const shownWhereBypassed =
  /^segments\.|\.sockets$|^client\.(?!anyRule)|^server\.(?!redirect-15006)|^client-node-proxy\.(received|sent|upstream)|^server-node-proxy\.(?!plaintext|tunnels)/

const variants = [
  'kata',
  'kata@sandboxed=both',
  'kata-ambient',
  'kata-ambient@sandboxed=server',
  'kata-ambient@proxy=tunnel@sandboxed=both',
  'kata-ambient-tcfilter',
  'kata-sidecar',
  'kata-sidecar@sandboxed=both',
]

describe.each(chooseModes([kata, kataAmbient, kataAmbientTcfilter, kataSidecar], variants, {}))('$name', (mode) => {
  provesItsPath(mode, 'cross-node', mode.name === 'kata-ambient-tcfilter' ? shownWhereBypassed : shownOnly)
})

describe.each([kata, kataAmbient, kataSidecar])('$name', (mode) => {
  provesItsPath(mode, 'same-node', shownOnly)
})

it('tracks as many connections in a guest as a machine does: more than a small kernel’s own 4,096', {
  timeout: 180_000,
}, async () => {
  const laid = await layMode(kataSidecar)
  try {
    const crr = {
      test: 'crr',
      protocol: 'tcp',
      argv: ['--test', 'crr', '--protocol', 'tcp', '--connections', '4'],
    } as const
    for (let opened = 0; opened < 5000; ) {
      const { traffic, facts } = await drive(laid, crr)
      expect(failed(facts)).toEqual([])
      opened += traffic.connections ?? 0
    }
  } finally {
    await laid.scope.close()
  }
})

const breakages: readonly Breakage[] = [
  {
    mode: kata,
    how: 'the driver runs beside the sandbox, in the pod itself',
    breakIt: async (laid) => Object.assign(laid.path, { client: laid.bed.clientPod.place }),
    travelled: /own TCP stack, on the host’s side, is silent/,
  },
  {
    mode: kata,
    how: 'the redirect from the tap is gone',
    breakIt: ({ bed }) => bed.clientPod.place.run(['tc', 'qdisc', 'del', 'dev', 'tap0_kata', 'ingress']),
    standing: /connected as tcfilter says/,
    travelled: /server accepted the driver’s own/,
  },
  {
    mode: kata,
    how: 'the guest is killed',
    breakIt: (laid) => stop(laid, 'client sandbox'),
    standing: /another kernel/,
    travelled: /through its guest’s own TCP stack/,
  },
  {
    mode: kata,
    how: 'its device is killed',
    breakIt: (laid) => stop(laid, 'client sandbox device'),
    standing: /another kernel/,
  },
  {
    mode: kataAmbient,
    how: 'the rules of the client pod are flushed',
    breakIt: ({ bed }) => flush(bed.clientPod.place),
    standing: /exactly istio-cni’s rules for Kata pods/,
    travelled: /captured every connection|no application byte is readable/,
  },
  {
    mode: kataAmbient,
    how: 'the pod is connected as by Kata’s default: the mesh is bypassed, and only facts tell',
    breakIt: ({ bed }) =>
      bed.clientPod.place.run(
        ['tc', '-batch', '-'],
        ['eth0 tap0_kata', 'tap0_kata eth0']
          .map((pair) => pair.split(' '))
          .flatMap(([from, to]) => [
            `qdisc add dev ${from} handle ffff: ingress`,
            `filter add dev ${from} parent ffff: protocol all u32 match u32 0 0 action mirred egress redirect dev ${to}`,
          ])
          .join('\n'),
      ),
    standing: /connected as l3forwarding says/,
    travelled: /captured every connection/,
  },
  {
    mode: kataAmbient,
    how: 'the client’s node proxy is killed',
    breakIt: (laid) => stop(laid, 'n1 node proxy'),
    standing: /client’s node proxy is the pinned/,
    travelled: /captured every connection/,
  },
  {
    mode: kataSidecar,
    how: 'the rules inside the guest are flushed: its application speaks plaintext',
    breakIt: ({ path }) => path.client.run(['iptables-legacy-restore'], '*nat\nCOMMIT\n'),
    standing: /beside the client are exactly istio-init’s rules/,
    travelled: /rule 9 beside the client|no application byte is readable/,
  },
  {
    mode: kataSidecar,
    how: 'the sidecar inside the guest is killed',
    breakIt: ({ path }) => path.client.run(['pkill', '-KILL', 'dpb-tunnel']),
    standing: /15001, 15006 and 15008 beside the client are the sidecar’s/,
    travelled: /rule 9 beside the client/,
  },
  {
    mode: kataAmbientTcfilter,
    how: 'the network is routed, so that the mesh is not bypassed after all',
    breakIt: async ({ bed }) => {
      const { place, address } = bed.clientPod
      for (const name of ['eth0', 'tap0_kata']) await place.run(['tc', 'qdisc', 'del', 'dev', name, 'ingress'])
      await place.run(['sysctl', '-q', 'net.ipv4.ip_forward=1', 'net.ipv4.conf.tap0_kata.proxy_arp=1'])
      await place.run(['ip', 'addr', 'add', '169.254.0.1/32', 'dev', 'tap0_kata'])
      await place.run(['ip', 'route', 'del', 'local', address, 'dev', 'eth0', 'table', 'local'])
      await place.run(['ip', 'route', 'add', `${address}/32`, 'dev', 'tap0_kata'])
    },
    standing: /connected as tcfilter says/,
    travelled: /no rule of the client pod counted a packet/,
  },
]

seesBreakages(breakages)
