/** Envoy as node proxy. */
import { join } from 'node:path'
import { envoyVersion, startEnvoy } from '../envoy/envoy.ts'
import { nodeProxyBootstrap } from '../envoy/node-proxy.ts'
import { admitsOnlyByTls, callsOnlyByTls, downstreamTlsStats, upstreamTlsStats } from '../proof/envoy-facts.ts'
import { envoyProbe } from '../proof/probes.ts'
import { type NodeProxy, type NodeProxySpec, nodeProxyName } from './node-proxy.ts'

const callerStats = (pod: string) => ({
  connections: [`tcp.${pod}_outbound.downstream_cx_total`],
  received: [`tcp.${pod}_outbound.downstream_cx_rx_bytes_total`],
  sent: [`tcp.${pod}_outbound.downstream_cx_tx_bytes_total`],
  tunnels: [`cluster.${pod}_hbone.upstream_rq_total`],
  ...upstreamTlsStats(`${pod}_hbone`),
})

const calledStats = (pod: string) => ({
  tunnels: [`http.${pod}_hbone.downstream_rq_total`],
  plaintext: [`tcp.${pod}_plaintext.downstream_cx_total`],
  upstreamOpened: [`cluster.${pod}_application.upstream_cx_total`],
  ...downstreamTlsStats(`${pod}_hbone`, `${pod}_hbone`),
})

export async function startEnvoyNodeProxy({ bed, node, pki, pods, pin }: NodeProxySpec): Promise<NodeProxy> {
  const name = nodeProxyName(node)
  const envoy = await startEnvoy({
    component: name,
    place: node.place,
    folder: join(bed.stateDir, node.plan.role),
    concurrency: bed.proxyConcurrency,
    pin,
    configure: (adminSocket) => nodeProxyBootstrap(name, adminSocket, pki, pods),
  })
  return {
    proc: envoy.proc,
    versions: { envoy: envoy.info.version },
    software: {
      claim: `the pinned release build of Envoy, concurrency ${bed.proxyConcurrency}, log level warning`,
      state: `envoy ${envoyVersion} RELEASE, concurrency ${bed.proxyConcurrency}, log warning`,
    },
    callerProbe: (prefix, pod) => envoyProbe(prefix, envoy, callerStats(pod)),
    calledProbe: (prefix, pod) => envoyProbe(prefix, envoy, calledStats(pod)),
    callsOnly: (prefix, now, peer) => callsOnlyByTls('the client’s node proxy', prefix, now, peer),
    admitsOnly: (prefix, now, peer) => admitsOnlyByTls('the server’s node proxy', prefix, now, peer),
  }
}
