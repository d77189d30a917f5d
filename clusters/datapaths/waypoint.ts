/** Mode `waypoint`: ambient with an L7 proxy on the way, in a pod of its own on the server's node. */
import { join } from 'node:path'
import type { Fact, Mode, Observation, Path, Traffic } from '../../harness/contracts.ts'
import { capture, clientNodeProxy, marked, serverNodeProxy } from '../ambient/hops.ts'
import { type AmbientMesh, type Expectation, layAmbient, nodeProxies } from '../ambient/mesh.ts'
import { redirectedEnd } from '../ambient/redirected-end.ts'
import { envoyAvailable } from '../envoy/availability.ts'
import { type Envoy, startEnvoy } from '../envoy/envoy.ts'
import { waypointBootstrap } from '../envoy/waypoint.ts'
import { proxyUid } from '../netfilter/istio-sidecar.ts'
import { makePki, type Pki, spiffeId } from '../pki/pki.ts'
import {
  admitsOnlyByTls,
  callsOnlyByTls,
  downstreamTlsStats,
  standsAsPinned,
  upstreamTlsStats,
} from '../proof/envoy-facts.ts'
import { changes, equal, same } from '../proof/judge.ts'
import { localPath } from '../proof/local-path.ts'
import { client, counter, node, picture, server, wire } from '../proof/picture.ts'
import { envoyProbe } from '../proof/probes.ts'
import { type LocalBed, localBed, type Pod } from '../providers/local/bed.ts'

const route = picture([
  { hop: client('connects to the server’s address'), carries: 'plaintext' },
  { hop: capture, carries: 'plaintext' },
  { hop: clientNodeProxy, carries: 'hbone', link: 'HBONE to the waypoint' },
  { hop: node('client node'), carries: 'hbone' },
  { hop: wire(), carries: 'hbone' },
  {
    hop: {
      id: 'waypoint',
      lane: 'server node',
      kind: 'proxy',
      label: 'waypoint Envoy :15008',
      detail: 'own pod on the server’s node: connect_terminate → main_internal (L7) → connect_originate',
      counters: [
        counter('waypoint.tunnels', 'CONNECT', 'requests'),
        counter('waypoint.requests', 'HTTP requests', 'requests'),
        counter('waypoint.originated', 'CONNECT onward', 'requests'),
      ],
    },
    carries: 'hbone',
    link: 'HBONE to the server',
  },
  { hop: serverNodeProxy, carries: 'plaintext' },
  { hop: marked, carries: 'plaintext' },
  { hop: server(), carries: 'plaintext' },
])

const waypointStats = {
  tunnels: ['http.connect_terminate.downstream_rq_total'],
  requests: ['http.main_internal.downstream_rq_total'],
  originated: ['cluster.hbone.upstream_rq_total'],
  ...upstreamTlsStats('hbone'),
  ...downstreamTlsStats('connect_terminate', 'connect_terminate'),
}

function travelled(
  mesh: AmbientMesh,
  before: Observation,
  after: Observation,
  traffic: Traffic,
  expected: Expectation,
): Fact[] {
  const change = changes(before, after)
  const facts = [
    ...mesh.travelled(before, after, traffic, expected),
    same('every tunnel of the client ended at the waypoint', {
      'sent by the client’s node proxy': change('client-node-proxy.tunnels'),
      'received by the waypoint': change('waypoint.tunnels'),
    }),
    equal('every tunnel at the server pod came from the waypoint', {
      'sent by the waypoint': change('waypoint.originated'),
      'received at the server': change('server-node-proxy.tunnels'),
    }),
    ...admitsOnlyByTls('the waypoint', 'waypoint', after, spiffeId('client')),
    ...callsOnlyByTls('the waypoint', 'waypoint', after, spiffeId('server')),
  ]
  if (traffic.protocol === 'http' && traffic.test !== 'stream')
    facts.push(
      same('the waypoint looked at every request', {
        driver: traffic.requests,
        waypoint: change('waypoint.requests'),
        server: change('echo.requests'),
      }),
    )
  return facts
}

function startWaypoint(bed: LocalBed, pki: Pki, pod: Pod): Promise<Envoy> {
  return startEnvoy({
    component: 'waypoint',
    place: pod.place,
    folder: join(bed.stateDir, 'waypoint'),
    concurrency: bed.proxyConcurrency,
    uid: proxyUid,
    configure: (adminSocket) =>
      waypointBootstrap({
        id: 'waypoint',
        adminSocket,
        pki,
        own: pki.identity('waypoint'),
        httpPort: bed.echo.target.httpPort,
        admits: spiffeId('client'),
        reaches: spiffeId('server'),
      }),
  })
}

const waypoint: Mode = {
  name: 'waypoint',
  about: 'ambient plus a waypoint: an L7 Envoy in a pod of its own between the node proxies, HBONE on both sides',
  runsOn: ['local'],
  comparedWith: 'baseline',
  settings: { proxy: ['envoy'] },
  available: () => envoyAvailable(),
  async lay(testbed): Promise<Path> {
    const bed = localBed(testbed)
    const pki = await makePki(join(bed.stateDir, 'pki'), { client: 0, server: 0, waypoint: proxyUid })
    const pod = await bed.addPod('waypoint', bed.serverPod.node)
    const expected = {
      clientReaches: spiffeId('waypoint'),
      serverAdmits: spiffeId('waypoint'),
      source: { claim: 'the server saw nobody but the waypoint', address: pod.address },
      endToEnd: false,
    }
    const [proxy, mesh] = await Promise.all([
      startWaypoint(bed, pki, pod),
      layAmbient({
        bed,
        pki,
        reach: { client: { peer: expected.clientReaches, via: pod.address }, serverAdmits: expected.serverAdmits },
        client: await redirectedEnd(bed, bed.clientPod),
        server: await redirectedEnd(bed, bed.serverPod),
        startProxy: nodeProxies.envoy,
      }),
    ])
    return localPath(bed, {
      mode: 'waypoint',
      proxy: 'envoy',
      versions: mesh.versions,
      picture: route,
      probes: [envoyProbe('waypoint', proxy, waypointStats), ...mesh.probes],
      standing: (now) => [...mesh.standing(now), standsAsPinned('the waypoint', 'waypoint', now, bed.proxyConcurrency)],
      travelled: (before, after, traffic) => travelled(mesh, before, after, traffic, expected),
    })
  },
}

export default waypoint
