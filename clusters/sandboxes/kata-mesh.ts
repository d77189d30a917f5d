/** Ambient with sandboxed pods behind taps, as modes `kata-ambient` and `kata-ambient-tcfilter` lay it. */
import { join } from 'node:path'
import type { Carries, Chosen, Hop, PathPicture, Testbed } from '../../harness/contracts.ts'
import type { Scope } from '../../harness/scope.ts'
import { capture, clientNodeProxy, marked, serverNodeProxy } from '../ambient/hops.ts'
import { type AmbientMesh, type Expectation, layAmbient, nodeProxies, type ProxyName } from '../ambient/mesh.ts'
import { redirectedEnd } from '../ambient/redirected-end.ts'
import { tapEnd } from '../ambient/tap-end.ts'
import { ambientKata } from '../netfilter/istio-ambient-kata.ts'
import { makePki, spiffeId } from '../pki/pki.ts'
import { client, counter, node, picture, ruleHop, type Step, server, wire } from '../proof/picture.ts'
import { type LocalBed, localBed } from '../providers/local/bed.ts'
import { type SandboxedEnds, sandboxEnds, sandboxedEnds } from './ends.ts'
import { guestStack, inSandbox, tapHop } from './hops.ts'
import { nodePin } from './pinning.ts'
import type { Networking } from './sandbox.ts'

export interface KataMesh {
  readonly bed: LocalBed
  readonly proxy: ProxyName
  readonly ends: SandboxedEnds
  readonly mesh: AmbientMesh
  readonly expected: Expectation
}

export async function layKataMesh(
  testbed: Testbed,
  scope: Scope,
  chosen: Chosen | undefined,
  networking: Networking,
): Promise<KataMesh> {
  const bed = localBed(testbed)
  const proxy = (chosen?.proxy ?? 'envoy') as ProxyName
  const sandboxed = sandboxedEnds(chosen)
  const [ends, pki] = await Promise.all([
    sandboxEnds(bed, sandboxed, networking, scope),
    makePki(join(bed.stateDir, 'pki'), { client: 0, server: 0 }),
  ])
  const expected = {
    clientReaches: spiffeId('server'),
    serverAdmits: spiffeId('client'),
    source: { claim: 'the client pod’s source address was kept', address: bed.clientPod.address },
    endToEnd: true,
  }
  const mesh = await layAmbient({
    bed,
    pki,
    reach: { client: { peer: expected.clientReaches }, serverAdmits: expected.serverAdmits },
    client: await (ends.client ? tapEnd(bed, ends.client) : redirectedEnd(bed, bed.clientPod)),
    server: await (ends.server ? tapEnd(bed, ends.server) : redirectedEnd(bed, bed.serverPod)),
    startProxy: nodeProxies[proxy],
    pinOf: (on) => nodePin(bed, on, sandboxed),
  })
  return { bed, proxy, ends, mesh, expected }
}

const step = (hop: Hop, carries: Carries, link?: string): Step => ({ hop, carries, ...(link ? { link } : {}) })

/** The rule as a hop: that of the pod which is laid, with its own address. */
const kataCapture = (bed: LocalBed): Hop =>
  ruleHop(
    ambientKata({ address: bed.clientPod.address, gateway: bed.clientPod.node.plan.gateway }),
    'redirect-15001',
    'client',
    'client pod',
  )

/** With what the guard kept from leaving past the mesh. */
function guardedTap(end: 'client' | 'server'): Hop {
  const hop = tapHop(end, 'l3forwarding')
  return { ...hop, counters: [...hop.counters, counter(`${end}.guard`, 'held back by the guard', 'packets')] }
}

/** The way through the mesh. */
export function meshPicture({ bed, ends }: KataMesh): PathPicture {
  const application = client('connects to the server’s address')
  const out = ends.client
    ? [
        step(inSandbox(application, 'client'), 'plaintext'),
        step(guestStack('client', ends.sandbox), 'plaintext'),
        step(guardedTap('client'), 'plaintext'),
        step(kataCapture(bed), 'plaintext'),
      ]
    : [step(application, 'plaintext'), step(capture, 'plaintext')]
  const into = ends.server
    ? [
        step(guardedTap('server'), 'plaintext'),
        step(guestStack('server', ends.sandbox), 'plaintext'),
        step(inSandbox(server(), 'server'), 'plaintext'),
      ]
    : [step(marked, 'plaintext'), step(server(), 'plaintext')]
  return picture([
    ...out,
    step(clientNodeProxy, 'hbone', 'HBONE to :15008'),
    step(node('client node'), 'hbone'),
    step(wire(), 'hbone'),
    step(node('server node'), 'hbone'),
    step(serverNodeProxy, 'plaintext'),
    ...into,
  ])
}
