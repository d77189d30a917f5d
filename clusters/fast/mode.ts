/**
 * The fast path: applications in sandboxes without a network, whose TCP becomes vsock and reaches the node proxy by a device
 * outside, over Unix sockets or within one process. Modes `kata-fast` and `kata-fast-fused` differ in that only.
 */
import { join } from 'node:path'
import type { Chosen, Path, PathPicture, Sandboxed, Testbed } from '../../harness/contracts.ts'
import { BenchError } from '../../harness/errors.ts'
import type { Scope } from '../../harness/scope.ts'
import { deviceEnd } from '../ambient/device-end.ts'
import type { MeshEnd } from '../ambient/end.ts'
import type { Entrance } from '../ambient/enrolled.ts'
import { layAmbient, nodeProxies, type ProxyName } from '../ambient/mesh.ts'
import { redirectedEnd } from '../ambient/redirected-end.ts'
import { makePki, spiffeId } from '../pki/pki.ts'
import type { Destination } from '../proof/device-facts.ts'
import { localPath } from '../proof/local-path.ts'
import { type LocalBed, localBed, type Pod } from '../providers/local/bed.ts'
import { chooseSandbox } from '../sandboxes/choice.ts'
import { sandboxedEnds } from '../sandboxes/ends.ts'
import { nodePin } from '../sandboxes/pinning.ts'
import { fusedNodeProxies } from './fused.ts'
import { Occupant } from './occupant.ts'
import type { TsiWay } from './tsi.ts'

export interface FastMode {
  readonly mode: string
  /** Whether the occupants' devices are the node proxies' own, which then move them in. */
  readonly fused: boolean
  readonly proxy: ProxyName
  readonly picture: (ends: Sandboxed) => PathPicture
}

/** What all modes with occupants begin with: one for each sandboxed end, whose device speaks to a proxy of this user. */
export async function occupy(bed: LocalBed, chosen: Chosen | undefined, scope: Scope, proxyUid = 0) {
  const ends = sandboxedEnds(chosen)
  const way = (chosen?.tsi ?? 'supervisor') as TsiWay
  const sandbox = await chooseSandbox()
  const occupants = [bed.clientPod, bed.serverPod]
    .filter((pod) => ends === 'both' || ends === pod.role)
    .map((pod) => new Occupant({ bed, pod, sandbox, way, pin: nodePin(bed, pod.node, ends), scope, proxyUid }))
  const of = (pod: Pod): Occupant | undefined => occupants.find((occupant) => occupant.pod === pod)
  const { host, httpPort, tcpPort } = bed.echo.target
  const destination: Destination = { address: host, ports: [httpPort, tcpPort] }
  return { ends, sandbox, occupants, of, destination }
}

/** Sandboxes and mesh of the fast path; a server in a sandbox is not started in it yet. */
export async function layOccupied(
  { mode, proxy, fused }: Pick<FastMode, 'mode' | 'proxy' | 'fused'>,
  bed: LocalBed,
  scope: Scope,
  chosen: Chosen | undefined,
) {
  const occupied = await occupy(bed, chosen, scope)
  const { ends, occupants, of, destination } = occupied
  if (bed.placement === 'same-node' && ends === 'both')
    throw new BenchError(
      'usage',
      `${mode} with both ends in sandboxes has no wire between pods of one node`,
      'use --placement cross-node',
    )
  const pki = await makePki(join(bed.stateDir, 'pki'), { client: 0, server: 0 })
  if (!fused) await Promise.all(occupants.map((occupant) => occupant.moveIn()))
  const endOf = async (pod: Pod): Promise<MeshEnd> => {
    const occupant = of(pod)
    if (!occupant) return redirectedEnd(bed, pod)
    const entrance: Entrance = fused ? { kind: 'fused' } : { kind: 'device', sockets: occupant.sockets }
    return deviceEnd(bed, occupant.facts(entrance), destination)
  }
  const mesh = await layAmbient({
    bed,
    pki,
    reach: { client: { peer: spiffeId('server') }, serverAdmits: spiffeId('client') },
    client: await endOf(bed.clientPod),
    server: await endOf(bed.serverPod),
    startProxy: fused ? fusedNodeProxies(occupants) : nodeProxies[proxy],
    pinOf: (node) => nodePin(bed, node, ends),
  })
  return { ...occupied, mesh }
}

export async function layFast(
  fast: FastMode,
  testbed: Testbed,
  scope: Scope,
  chosen: Chosen | undefined,
): Promise<Path> {
  const bed = localBed(testbed)
  const { ends, sandbox, of, mesh } = await layOccupied(fast, bed, scope, chosen)
  const server = of(bed.serverPod)
  if (server) await bed.moveServer(server.place)
  const expected = {
    clientReaches: spiffeId('server'),
    serverAdmits: spiffeId('client'),
    source: { claim: 'the client pod’s source address was kept', address: bed.clientPod.address },
    endToEnd: true,
  }
  return localPath(bed, {
    mode: fast.mode,
    proxy: fast.proxy,
    versions: mesh.versions,
    picture: fast.picture(ends),
    sandboxed: { sandbox: sandbox.name, ends, client: of(bed.clientPod)?.place ?? bed.client },
    probes: mesh.probes,
    standing: mesh.standing,
    travelled: (before, after, traffic) => mesh.travelled(before, after, traffic, expected),
  })
}
