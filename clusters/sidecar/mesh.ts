/**
 * Sidecars on the local provider: an Envoy in each pod, Istio's mTLS between them. The application is beside its sidecar,
 * behind istio-init's rules, or in a sandbox whose device reaches the sidecar by Unix sockets.
 */
import { join } from 'node:path'
import type { Fact, Observation, Path, PathPicture, Traffic } from '../../harness/contracts.ts'
import { type Envoy, startEnvoy } from '../envoy/envoy.ts'
import { sidecarBootstrap } from '../envoy/sidecar.ts'
import { proxyUid, sidecarRedirect } from '../netfilter/istio-sidecar.ts'
import { makePki, type Pki, spiffeId } from '../pki/pki.ts'
import {
  admitsOnlyByTls,
  callsOnlyByTls,
  downstreamTlsStats,
  standsAsPinned,
  upstreamTlsStats,
} from '../proof/envoy-facts.ts'
import { changes, equal, is, none, same, sameBytes, served, some } from '../proof/judge.ts'
import { type LocalPathParts, localPath } from '../proof/local-path.ts'
import { envoyProbe } from '../proof/probes.ts'
import type { LocalBed } from '../providers/local/bed.ts'
import type { SidecarEnd } from './end.ts'

const clientStats = {
  connections: ['http.outbound.downstream_cx_total', 'tcp.outbound.downstream_cx_total'],
  requests: ['http.outbound.downstream_rq_total'],
  received: ['http.outbound.downstream_cx_rx_bytes_total', 'tcp.outbound.downstream_cx_rx_bytes_total'],
  sent: ['http.outbound.downstream_cx_tx_bytes_total', 'tcp.outbound.downstream_cx_tx_bytes_total'],
  ...upstreamTlsStats('outbound_http', 'outbound_tcp'),
}

const serverStats = {
  requests: ['http.inbound.downstream_rq_total'],
  upstreamOpened: ['cluster.inbound_http.upstream_cx_total', 'cluster.inbound_tcp.upstream_cx_total'],
  ...downstreamTlsStats('virtual_inbound', 'inbound'),
}

/** Both ends of a mode with sidecars, and what the page calls it. */
export interface SidecarPlan {
  readonly mode: string
  readonly bed: LocalBed
  readonly client: SidecarEnd
  readonly server: SidecarEnd
  readonly picture: PathPicture
  readonly sandboxed?: LocalPathParts['sandboxed']
}

function travelled({ client, server }: SidecarPlan, before: Observation, after: Observation, traffic: Traffic): Fact[] {
  const change = changes(before, after)
  const captured = client.captured(change)
  const facts = [
    same(captured.claim, {
      driver: traffic.connections,
      ...captured.counts,
      'accepted by the client sidecar': change('client-sidecar.connections'),
    }),
    sameBytes('the client sidecar received what the driver sent', traffic, {
      driver: traffic.bytesSent,
      sidecar: change('client-sidecar.received'),
    }),
    sameBytes('the driver received what the client sidecar sent', traffic, {
      driver: traffic.bytesReceived,
      sidecar: change('client-sidecar.sent'),
    }),
    ...served(change, traffic, traffic.protocol === 'tcp' ? 'same bytes' : 'other heads'),
    equal(
      'rule 4 of the client pod let out every connection of its sidecar, and the server pod redirected each to 15006',
      {
        'ISTIO_OUTPUT rule 4': change('client.rule-4'),
        'opened by the client sidecar': change('client-sidecar.upstreamOpened'),
        'PREROUTING of the server pod': change('server.prerouting'),
        'ISTIO_INBOUND of the server pod': change('server.inbound'),
        'redirect to 15006': change('server.redirect-15006'),
        'accepted by the server sidecar': change('server-sidecar.accepted'),
      },
    ),
    equal('every connection of the server sidecar reached the application', {
      'opened by the server sidecar': change('server-sidecar.upstreamOpened'),
      ...server.delivered(change),
      'accepted by the server': change('echo.connections'),
    }),
    is(server.source.claim, after, 'echo.peers', server.source.address(client)),
    none('nothing took another way: the client pod was not called, the server pod called nobody', {
      'client pod inbound': change('client.prerouting') + change('client.inbound') + change('client.redirect-15006'),
      'client pod rule 1': change('client.rule-1'),
      'server pod rule 9': change('server.rule-9') + change('server.redirect-15001'),
      'server pod rule 4': change('server.rule-4'),
    }),
    ...client.calls(change, traffic),
    ...server.answers(change, traffic),
    ...callsOnlyByTls('client sidecar', 'client-sidecar', after, spiffeId('server')),
    ...admitsOnlyByTls('server sidecar', 'server-sidecar', after, spiffeId('client')),
    none('no application byte is readable on the wire', { 'plaintext packets': change('wire.plaintext') }),
    some('the traffic crossed the wire', {
      'TCP packets': change('wire.tcp'),
      'with payload, not HBONE': change('wire.other'),
    }),
    none('nothing on the wire is HBONE', {
      'HBONE packets': change('wire.hbone'),
      'rules for 15008': change('client.hbone') + change('server.hbone'),
    }),
  ]
  if (traffic.protocol === 'http' && traffic.test !== 'stream')
    facts.push(
      same('both sidecars saw every request', {
        driver: traffic.requests,
        'client sidecar': change('client-sidecar.requests'),
        'server sidecar': change('server-sidecar.requests'),
        server: change('echo.requests'),
      }),
    )
  return facts
}

async function startSidecar(bed: LocalBed, pki: Pki, end: SidecarEnd, peer: SidecarEnd): Promise<Envoy> {
  const { target } = bed.echo
  const { pod, device } = end
  return startEnvoy({
    component: `${pod.role} sidecar`,
    place: pod.place,
    folder: join(bed.stateDir, `${pod.role}-sidecar`),
    concurrency: bed.proxyConcurrency,
    pin: end.pin ?? 'datapath',
    uid: proxyUid,
    configure: (adminSocket) =>
      sidecarBootstrap({
        id: pod.role,
        adminSocket,
        pki,
        own: pki.identity(pod.role),
        calls: { target, peer: spiffeId(peer.pod.role) },
        serves: { target: { ...target, host: pod.address }, peer: spiffeId(peer.pod.role) },
        ...(device ? { device } : {}),
      }),
  })
}

/** Lays both ends with their sidecars. */
export async function laySidecars(plan: SidecarPlan): Promise<Path> {
  const { bed, client, server, mode, picture, sandboxed } = plan
  const pki = await makePki(join(bed.stateDir, 'pki'), { client: proxyUid, server: proxyUid })
  await Promise.all([client.lay(), server.lay()])
  const [clientProxy, serverProxy] = await Promise.all([
    startSidecar(bed, pki, client, server),
    startSidecar(bed, pki, server, client),
  ])
  return localPath(bed, {
    mode,
    proxy: 'envoy',
    versions: {
      envoy: clientProxy.info.version,
      rules: sidecarRedirect.source,
      ...server.versions,
      ...client.versions,
    },
    picture,
    ...(sandboxed ? { sandboxed } : {}),
    probes: [
      ...client.probes(clientProxy),
      ...server.probes(serverProxy),
      envoyProbe('client-sidecar', clientProxy, clientStats),
      envoyProbe('server-sidecar', serverProxy, serverStats),
    ],
    standing: (now) => [
      ...client.standing(now),
      ...server.standing(now),
      standsAsPinned('the client sidecar', 'client-sidecar', now, bed.proxyConcurrency),
      standsAsPinned('the server sidecar', 'server-sidecar', now, bed.proxyConcurrency),
    ],
    travelled: (before, after, traffic) => travelled(plan, before, after, traffic),
  })
}
