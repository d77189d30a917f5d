/** Hops and pictures of the fast path. */
import type { Carries, Hop, PathPicture, Sandboxed } from '../../harness/contracts.ts'
import { capture, clientNodeProxy, marked, serverNodeProxy } from '../ambient/hops.ts'
import { client, counter, node, picture, type Step, server, wire } from '../proof/picture.ts'
import { clientSidecar, serverSidecar, sidecarRule } from '../sidecar/hops.ts'

type End = 'client' | 'server'

const inside = (hop: Hop, end: End): Hop => ({ ...hop, lane: `${end} sandbox`, counters: [] })

/** The application's sockets, moved at their birth. */
const moved = (end: End): Hop => ({
  id: `${end}-tsi`,
  lane: `${end} sandbox`,
  kind: 'stack',
  label: 'TSI: sockets are vsock',
  detail: 'socket() gives AF_VSOCK; the vsock address is the TCP address; the guest’s TCP stays silent',
  counters: [counter(`${end}-guest.segments`, 'TCP segments in the guest', 'segments')],
})

const device = (end: End): Hop => ({
  id: `${end}-device`,
  lane: `${end} pod`,
  kind: 'device',
  label: 'vhost-user vsock device',
  detail: 'dpb-vsock-tsi: rings in shared memory; a Unix socket with PROXY v2 for each stream',
  counters: deviceCounters(end),
})

const deviceCounters = (end: End) => {
  const direction = end === 'client' ? 'outbound' : 'inbound'
  return [
    counter(`${end}-device.${direction}.opened`, 'streams', 'connections'),
    counter(`${end}-device.${direction}.fromGuest`, 'from the guest', 'bytes'),
    counter(`${end}-device.${direction}.toGuest`, 'to the guest', 'bytes'),
    counter(`segments.${end} pod`, 'TCP segments in the pod', 'segments'),
  ]
}

const nodeProxy = (end: End): Hop => {
  const { counters } = end === 'client' ? clientNodeProxy : serverNodeProxy
  return {
    id: `${end}-node-proxy`,
    lane: `${end} node`,
    kind: 'proxy',
    label: end === 'client' ? 'node proxy, Unix socket' : 'node proxy, HBONE :15008',
    detail: 'in the node, with the pod’s address and identity; CONNECT over HTTP/2, mTLS',
    counters,
  }
}

const fusedProxy = (end: End): Hop => ({
  ...nodeProxy(end),
  label: 'device and node proxy in one',
  detail: 'dpb-fused: guest’s rings on one side, TLS records on the other, no socket between',
  counters: [...deviceCounters(end), ...nodeProxy(end).counters],
})

const step = (hop: Hop, carries: Carries, link?: string): Step => ({ hop, carries, ...(link ? { link } : {}) })

/** From the application in its sandbox into the rings. */
const throughRings = (end: End): Step[] => [
  step(inside(end === 'client' ? client('connects to the server’s address') : server(), end), 'vsock'),
  step(moved(end), 'vsock', 'rings in shared memory'),
]

/** From the application to the wire; reversed, from the wire to it. */
function way(end: End, sandboxed: boolean, fused: boolean): Step[] {
  if (!sandboxed)
    return end === 'client'
      ? [
          step(client('connects to the server’s address'), 'plaintext'),
          step(capture, 'plaintext'),
          step(clientNodeProxy, 'hbone'),
        ]
      : [step(server(), 'plaintext'), step(marked, 'plaintext'), step(serverNodeProxy, 'plaintext')]
  if (fused) return [...throughRings(end), step(fusedProxy(end), 'hbone')]
  return [...throughRings(end), step(device(end), 'plaintext', 'Unix socket'), step(nodeProxy(end), 'hbone')]
}

/** Links of the way into an application carry what their far end hands over, so they shift by one when reversed. */
function reversed(steps: readonly Step[]): Step[] {
  return [...steps].reverse().map(({ hop }, index, all) => {
    const next = steps[all.length - 2 - index]
    return { hop, carries: next?.carries ?? 'plaintext', ...(next?.link ? { link: next.link } : {}) }
  })
}

export const fastPicture =
  (fused: boolean) =>
  (ends: Sandboxed): PathPicture => {
    const has = (end: End): boolean => ends === 'both' || ends === end
    return picture([
      ...way('client', has('client'), fused),
      { hop: wire(), carries: 'hbone' },
      ...reversed(way('server', has('server'), fused)),
    ])
  }

/** The sidecar outside of the sandbox, in the pod's namespace, with the rules that istio-init lays there. */
export function sidecarOutPicture(ends: Sandboxed): PathPicture {
  const has = (end: End): boolean => ends === 'both' || ends === end
  const toDevice = (end: End): Step[] => [...throughRings(end), step(device(end), 'plaintext', 'Unix socket')]
  const outOfClient = has('client')
    ? [...toDevice('client'), step({ ...clientSidecar, label: 'Envoy sidecar, Unix socket' }, 'mtls')]
    : [
        step(client('connects to the server’s address'), 'plaintext'),
        step(sidecarRule('rule-9', 'client'), 'plaintext'),
        step(sidecarRule('redirect-15001', 'client'), 'plaintext'),
        step(clientSidecar, 'mtls'),
      ]
  const toServer = has('server')
    ? [
        ...toDevice('server'),
        step({ ...serverSidecar, detail: 'STRICT mTLS; calls the application by the device' }, 'mtls'),
      ]
    : [step(server(), 'plaintext'), step(sidecarRule('rule-1', 'server'), 'plaintext'), step(serverSidecar, 'mtls')]
  return picture([
    ...outOfClient,
    step(sidecarRule('rule-4', 'client'), 'mtls'),
    step(node('client node'), 'mtls'),
    step(wire(), 'mtls'),
    step(node('server node'), 'mtls'),
    step(sidecarRule('inbound', 'server'), 'mtls'),
    step(sidecarRule('redirect-15006', 'server'), 'mtls'),
    ...reversed(toServer),
  ])
}
