/** Mode `sidecar`: Istio's classic datapath, an Envoy in each pod behind istio-init's REDIRECT rules. */
import type { Mode, Path } from '../../harness/contracts.ts'
import { envoyAvailable } from '../envoy/availability.ts'
import { client, node, picture, server, wire } from '../proof/picture.ts'
import { localBed } from '../providers/local/bed.ts'
import { besideSidecar } from '../sidecar/end.ts'
import { clientSidecar, serverSidecar, sidecarRule } from '../sidecar/hops.ts'
import { laySidecars } from '../sidecar/mesh.ts'

const route = picture([
  { hop: client('connects to the server’s address'), carries: 'plaintext' },
  { hop: sidecarRule('rule-9', 'client'), carries: 'plaintext' },
  { hop: sidecarRule('redirect-15001', 'client'), carries: 'plaintext' },
  { hop: clientSidecar, carries: 'mtls' },
  { hop: sidecarRule('rule-4', 'client'), carries: 'mtls' },
  { hop: node('client node'), carries: 'mtls' },
  { hop: wire(), carries: 'mtls' },
  { hop: node('server node'), carries: 'mtls' },
  { hop: sidecarRule('inbound', 'server'), carries: 'mtls' },
  { hop: sidecarRule('redirect-15006', 'server'), carries: 'mtls' },
  { hop: serverSidecar, carries: 'plaintext' },
  { hop: sidecarRule('rule-1', 'server'), carries: 'plaintext' },
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
