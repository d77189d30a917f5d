/** Sidecars that speak HBONE: dpb-tunnel at both ends, each beside its application, istio-init's rules around it. */
import { join } from 'node:path'
import type { Fact, Observation, Path, PathPicture, Traffic } from '../../harness/contracts.ts'
import type { NodeProxy } from '../ambient/node-proxy.ts'
import { sidecarRedirect } from '../netfilter/istio-sidecar.ts'
import { makePki, spiffeId } from '../pki/pki.ts'
import { changes, equal, is, none, same, sameBytes, served, some } from '../proof/judge.ts'
import { type LocalPathParts, localPath } from '../proof/local-path.ts'
import type { LocalBed } from '../providers/local/bed.ts'
import { type Beside, besideProbes, besideStanding, startTunnelSidecar } from './tunnel-sidecar.ts'

export interface TunnelSidecarPlan {
  readonly mode: string
  readonly bed: LocalBed
  readonly client: Beside
  readonly server: Beside
  readonly picture: PathPicture
  readonly sandboxed: NonNullable<LocalPathParts['sandboxed']>
}

interface Proxies {
  readonly client: NodeProxy
  readonly server: NodeProxy
}

/** What every connection of the driver must have met, and its bytes. */
function carried(change: (key: string) => number, traffic: Traffic): Fact[] {
  return [
    same('rule 9 beside the client captured every connection of the driver, and each became one HBONE tunnel', {
      driver: traffic.connections,
      'ISTIO_OUTPUT rule 9': change('client.rule-9'),
      'redirect to 15001': change('client.redirect-15001'),
      'accepted by the client’s sidecar': change('client-sidecar.connections'),
      'CONNECT sent': change('client-sidecar.tunnels'),
      'CONNECT received at the server': change('server-sidecar.tunnels'),
    }),
    sameBytes('the client’s sidecar received what the driver sent', traffic, {
      driver: traffic.bytesSent,
      sidecar: change('client-sidecar.received'),
    }),
    sameBytes('the driver received what the client’s sidecar sent', traffic, {
      driver: traffic.bytesReceived,
      sidecar: change('client-sidecar.sent'),
    }),
    ...served(change, traffic, 'same bytes'),
    equal('rule 4 let out every TLS connection of the client’s sidecar, and each came in on 15008 of the server’s', {
      'ISTIO_OUTPUT rule 4': change('client.rule-4'),
      'begun by the client’s sidecar': change('client-sidecar.tlsConnections'),
      'PREROUTING beside the server': change('server.prerouting'),
      'rule for 15008': change('server.hbone'),
      'accepted by the server’s sidecar': change('server-sidecar.tlsConnections'),
    }),
    equal('every tunnel became one connection to the application', {
      'CONNECT received': change('server-sidecar.tunnels'),
      'opened by the sidecar': change('server-sidecar.upstreamOpened'),
      'ISTIO_OUTPUT rule 1': change('server.rule-1'),
      'accepted by the server': change('echo.connections'),
    }),
  ]
}

function travelled(
  { client, server }: TunnelSidecarPlan,
  proxies: Proxies,
  before: Observation,
  after: Observation,
  traffic: Traffic,
): Fact[] {
  const change = changes(before, after)
  return [
    ...carried(change, traffic),
    is('the server saw nobody but its sidecar (127.0.0.6)', after, 'echo.peers', '127.0.0.6'),
    none('nothing took another way: the client was not called, the server called nobody and got no plaintext', {
      'into the client': change('client.prerouting') + change('client.inbound') + change('client.redirect-15006'),
      'HBONE into the client': change('client.hbone'),
      'client’s rule 1': change('client.rule-1'),
      'server’s rules 9 and 4': change('server.rule-9') + change('server.redirect-15001') + change('server.rule-4'),
      'plaintext into the server': change('server.inbound') + change('server.redirect-15006'),
      'plaintext at the server’s sidecar': change('server-sidecar.plaintext'),
    }),
    ...client.travelled(change),
    ...server.travelled(change),
    ...proxies.client.callsOnly('client-sidecar', after, spiffeId('server')),
    ...proxies.server.admitsOnly('server-sidecar', after, spiffeId('client')),
    none('no application byte is readable on the wire', { 'plaintext packets': change('wire.plaintext') }),
    none('no byte on the wire is outside HBONE', { 'other TCP packets with payload': change('wire.other') }),
    some('the traffic crossed the wire', { 'TCP packets': change('wire.tcp'), HBONE: change('wire.hbone') }),
  ]
}

/** Lays rules and sidecars at both ends. */
export async function layTunnelSidecars(plan: TunnelSidecarPlan): Promise<Path> {
  const { bed, client, server, mode, picture, sandboxed } = plan
  const pki = await makePki(join(bed.stateDir, 'pki'), { client: 0, server: 0 })
  const [clientProxy, serverProxy] = await Promise.all([
    startTunnelSidecar(client, pki, server.pod),
    startTunnelSidecar(server, pki, client.pod),
  ])
  const proxies = { client: clientProxy, server: serverProxy }
  return localPath(bed, {
    mode,
    proxy: 'tunnel',
    sandboxed,
    versions: { ...clientProxy.versions, rules: sidecarRedirect.source, ...server.versions, ...client.versions },
    picture,
    probes: [
      ...besideProbes(client),
      ...besideProbes(server),
      clientProxy.callerProbe('client-sidecar', 'client'),
      serverProxy.calledProbe('server-sidecar', 'server'),
    ],
    standing: (now) => [
      ...besideStanding(client, now),
      ...besideStanding(server, now),
      ...(['client', 'server'] as const).map((end) => {
        const { claim, state } = proxies[end].software
        return is(`the ${end}’s sidecar is ${claim}`, now, `${end}-sidecar.software`, state)
      }),
    ],
    travelled: (before, after, traffic) => travelled(plan, proxies, before, after, traffic),
  })
}
