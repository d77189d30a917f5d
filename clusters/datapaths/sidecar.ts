/** Mode `sidecar`: Istio's classic datapath, an Envoy in each pod behind istio-init's REDIRECT rules. */
import { join } from 'node:path'
import type { Fact, Mode, Observation, Path, Traffic } from '../../harness/contracts.ts'
import { envoyAvailable } from '../envoy/availability.ts'
import { type Envoy, startEnvoy } from '../envoy/envoy.ts'
import { sidecarBootstrap } from '../envoy/sidecar.ts'
import { proxyUid, sidecarPorts, sidecarRedirect } from '../netfilter/istio-sidecar.ts'
import { iptablesVersion, layRules } from '../netfilter/netfilter.ts'
import { makePki, type Pki, spiffeId } from '../pki/pki.ts'
import {
  admitsOnlyByTls,
  callsOnlyByTls,
  downstreamTlsStats,
  standsAsPinned,
  upstreamTlsStats,
} from '../proof/envoy-facts.ts'
import { changes, equal, is, none, same, sameBytes, served, some } from '../proof/judge.ts'
import { localPath } from '../proof/local-path.ts'
import { client, counter, node, picture, ruleHop, server, wire } from '../proof/picture.ts'
import { envoyProbe, listenersProbe, rulesProbe } from '../proof/probes.ts'
import { type LocalBed, localBed, type Pod } from '../providers/local/bed.ts'

const rule = (id: string, pod: 'client' | 'server') => ruleHop(sidecarRedirect, id, pod, `${pod} pod`)

const route = picture([
  { hop: client('connects to the server’s address'), carries: 'plaintext' },
  { hop: rule('rule-9', 'client'), carries: 'plaintext' },
  { hop: rule('redirect-15001', 'client'), carries: 'plaintext' },
  {
    hop: {
      id: 'client-sidecar',
      lane: 'client pod',
      kind: 'proxy',
      label: 'Envoy sidecar, outbound :15001',
      detail: 'HTTP or TCP by port, mTLS to the server’s identity',
      counters: [
        counter('client-sidecar.connections', 'accepted', 'connections'),
        counter('client-sidecar.requests', 'HTTP requests', 'requests'),
        counter('client-sidecar.received', 'from the client', 'bytes'),
        counter('client-sidecar.upstreamHandshakes', 'TLS 1.3', 'handshakes'),
      ],
    },
    carries: 'mtls',
  },
  { hop: rule('rule-4', 'client'), carries: 'mtls' },
  { hop: node('client node'), carries: 'mtls' },
  { hop: wire(), carries: 'mtls' },
  { hop: node('server node'), carries: 'mtls' },
  { hop: rule('inbound', 'server'), carries: 'mtls' },
  { hop: rule('redirect-15006', 'server'), carries: 'mtls' },
  {
    hop: {
      id: 'server-sidecar',
      lane: 'server pod',
      kind: 'proxy',
      label: 'Envoy sidecar, inbound :15006',
      detail: 'STRICT mTLS; calls the application from 127.0.0.6',
      counters: [
        counter('server-sidecar.accepted', 'accepted', 'connections'),
        counter('server-sidecar.requests', 'HTTP requests', 'requests'),
        counter('server-sidecar.upstreamOpened', 'to the application', 'connections'),
      ],
    },
    carries: 'plaintext',
  },
  { hop: rule('rule-1', 'server'), carries: 'plaintext' },
  { hop: server(), carries: 'plaintext' },
])

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

function travelled(before: Observation, after: Observation, traffic: Traffic): Fact[] {
  const change = changes(before, after)
  const perConnection = traffic.connections
  const facts = [
    same('rule 9 of the client pod captured every connection of the driver', {
      driver: perConnection,
      'ISTIO_OUTPUT rule 9': change('client.rule-9'),
      'redirect to 15001': change('client.redirect-15001'),
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
    equal('rule 1 of the server pod passed every connection of the server sidecar to the application', {
      'ISTIO_OUTPUT rule 1': change('server.rule-1'),
      'opened by the server sidecar': change('server-sidecar.upstreamOpened'),
      'accepted by the server': change('echo.connections'),
    }),
    is('the server saw nobody but its sidecar (127.0.0.6)', after, 'echo.peers', '127.0.0.6'),
    none('nothing took another way: the client pod was not called, the server pod called nobody', {
      'client pod inbound': change('client.prerouting') + change('client.inbound') + change('client.redirect-15006'),
      'client pod rule 1': change('client.rule-1'),
      'server pod rule 9': change('server.rule-9') + change('server.redirect-15001'),
      'server pod rule 4': change('server.rule-4'),
    }),
    ...callsOnlyByTls('client sidecar', 'client-sidecar', after, spiffeId('server')),
    ...admitsOnlyByTls('server sidecar', 'server-sidecar', after, spiffeId('client')),
    none('no application byte is readable on the wire', { 'plaintext packets': change('wire.plaintext') }),
    some('the traffic crossed the wire', {
      'TCP packets': change('wire.tcp'),
      'with payload, not HBONE': change('wire.other'),
    }),
    none('nothing on the wire is HBONE', { 'HBONE packets': change('wire.hbone') }),
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

const standing = (now: Observation, concurrency: number): Fact[] => [
  is('the client pod holds exactly istio-init’s rules', now, 'client.rules', ''),
  is('the server pod holds exactly istio-init’s rules', now, 'server.rules', ''),
  standsAsPinned('the client sidecar', 'client-sidecar', now, concurrency),
  standsAsPinned('the server sidecar', 'server-sidecar', now, concurrency),
  is('only the client sidecar listens on 15001 and 15006 of its pod', now, 'client.listeners', 'held'),
  is('only the server sidecar listens on 15001 and 15006 of its pod', now, 'server.listeners', 'held'),
]

async function startSidecar(bed: LocalBed, pki: Pki, pod: Pod, peer: Pod): Promise<Envoy> {
  const { target } = bed.echo
  return startEnvoy({
    component: `${pod.role} sidecar`,
    place: pod.place,
    folder: join(bed.stateDir, `${pod.role}-sidecar`),
    concurrency: bed.proxyConcurrency,
    uid: proxyUid,
    configure: (adminSocket) =>
      sidecarBootstrap({
        id: pod.role,
        adminSocket,
        pki,
        own: pki.identity(pod.role),
        calls: { target, peer: spiffeId(peer.role) },
        serves: { target: { ...target, host: pod.address }, peer: spiffeId(peer.role) },
      }),
  })
}

const sidecar: Mode = {
  name: 'sidecar',
  about: 'Istio sidecar: an Envoy in each pod, istio-init’s REDIRECT rules, mTLS from sidecar to sidecar, HTTP aware',
  runsOn: ['local'],
  comparedWith: 'baseline',
  settings: { proxy: ['envoy'] },
  available: () => envoyAvailable(),
  async lay(testbed): Promise<Path> {
    const bed = localBed(testbed)
    const { clientPod, serverPod } = bed
    const pki = await makePki(join(bed.stateDir, 'pki'), { client: proxyUid, server: proxyUid })
    await Promise.all([layRules(clientPod.place, sidecarRedirect), layRules(serverPod.place, sidecarRedirect)])
    const [clientProxy, serverProxy, iptables] = await Promise.all([
      startSidecar(bed, pki, clientPod, serverPod),
      startSidecar(bed, pki, serverPod, clientPod),
      iptablesVersion(clientPod.place),
    ])
    const ports = [sidecarPorts.outbound, sidecarPorts.inbound]
    return localPath(bed, {
      mode: 'sidecar',
      proxy: 'envoy',
      versions: { envoy: clientProxy.info.version, iptables, rules: sidecarRedirect.source },
      picture: route,
      probes: [
        rulesProbe('client', clientPod.place, sidecarRedirect),
        rulesProbe('server', serverPod.place, sidecarRedirect),
        envoyProbe('client-sidecar', clientProxy, clientStats),
        envoyProbe('server-sidecar', serverProxy, serverStats),
        listenersProbe('client', clientPod.stack, () => clientProxy.proc.pid, ports),
        listenersProbe('server', serverPod.stack, () => serverProxy.proc.pid, ports),
      ],
      standing: (now) => standing(now, bed.proxyConcurrency),
      travelled,
    })
  },
}

export default sidecar
