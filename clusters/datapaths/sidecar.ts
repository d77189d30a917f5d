/** Mode `sidecar`: Istio's classic datapath, an Envoy in each pod behind istio-init's REDIRECT rules. */
import type { Mode, Path } from '../../harness/contracts.ts'
import { envoyAvailable } from '../envoy/availability.ts'
import { sidecarRedirect } from '../netfilter/istio-sidecar.ts'
import { client, counter, node, picture, ruleHop, server, wire } from '../proof/picture.ts'
import { localBed } from '../providers/local/bed.ts'
import { besideSidecar } from '../sidecar/end.ts'
import { laySidecars } from '../sidecar/mesh.ts'

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

const sidecar: Mode = {
  name: 'sidecar',
  about: 'Istio sidecar: an Envoy in each pod, istio-init’s REDIRECT rules, mTLS from sidecar to sidecar, HTTP aware',
  runsOn: ['local'],
  comparedWith: 'baseline',
  settings: { proxy: ['envoy'] },
  available: () => envoyAvailable(),
  async lay(testbed): Promise<Path> {
    const bed = localBed(testbed)
    const [client, server] = await Promise.all([besideSidecar(bed.clientPod), besideSidecar(bed.serverPod)])
    return laySidecars({ mode: 'sidecar', bed, client, server, picture: route })
  },
}

export default sidecar
