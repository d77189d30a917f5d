/** Mode `ambient`: in-Pod redirection to a node proxy per node, HBONE between them. */
import { join } from 'node:path'
import type { Mode, Path } from '../../harness/contracts.ts'
import { capture, clientNodeProxy, marked, serverNodeProxy } from '../ambient/hops.ts'
import { layAmbient, nodeProxies, type ProxyName } from '../ambient/mesh.ts'
import { redirectedEnd } from '../ambient/redirected-end.ts'
import { envoyAvailable } from '../envoy/availability.ts'
import { makePki, spiffeId } from '../pki/pki.ts'
import { localPath } from '../proof/local-path.ts'
import { client, node, picture, server, wire } from '../proof/picture.ts'
import { localBed } from '../providers/local/bed.ts'

const route = picture([
  { hop: client('connects to the server’s address'), carries: 'plaintext' },
  { hop: capture, carries: 'plaintext' },
  { hop: clientNodeProxy, carries: 'hbone', link: 'HBONE to :15008' },
  { hop: node('client node'), carries: 'hbone' },
  { hop: wire(), carries: 'hbone' },
  { hop: node('server node'), carries: 'hbone' },
  { hop: serverNodeProxy, carries: 'plaintext' },
  { hop: marked, carries: 'plaintext' },
  { hop: server(), carries: 'plaintext' },
])

const ambient: Mode = {
  name: 'ambient',
  about:
    'Istio ambient, in-Pod redirection: a node proxy per node with its sockets in the pods, HBONE between nodes, L4 only',
  runsOn: ['local'],
  comparedWith: 'baseline',
  settings: { proxy: ['envoy', 'tunnel'] },
  available: async (_provider, chosen) => (chosen?.proxy === 'tunnel' ? { ok: true } : envoyAvailable()),
  async lay(testbed, _scope, _log, chosen): Promise<Path> {
    const proxy = (chosen?.proxy ?? 'envoy') as ProxyName
    const bed = localBed(testbed)
    const pki = await makePki(join(bed.stateDir, 'pki'), { client: 0, server: 0 })
    const expected = {
      clientReaches: spiffeId('server'),
      serverAdmits: spiffeId('client'),
      source: { claim: 'the client pod’s source address was kept', address: bed.clientPod.address },
      endToEnd: true,
    }
    const [client, server] = await Promise.all([redirectedEnd(bed, bed.clientPod), redirectedEnd(bed, bed.serverPod)])
    const mesh = await layAmbient({
      bed,
      pki,
      reach: { client: { peer: expected.clientReaches }, serverAdmits: expected.serverAdmits },
      client,
      server,
      startProxy: nodeProxies[proxy],
    })
    return localPath(bed, {
      mode: 'ambient',
      proxy,
      versions: mesh.versions,
      picture: route,
      probes: mesh.probes,
      standing: mesh.standing,
      travelled: (before, after, traffic) => mesh.travelled(before, after, traffic, expected),
    })
  },
}

export default ambient
