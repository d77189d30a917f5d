/**
 * Mode `kata-ambient-tcfilter`: the mesh of kata-ambient laid whole, but the sandbox connected as Kata does by default. The
 * redirect between tap and eth0 comes before netfilter, so the application's traffic goes past the mesh, silently.
 */
import type { Fact, Mode, Observation, Path, Traffic } from '../../harness/contracts.ts'
import { envoyAvailable } from '../envoy/availability.ts'
import { ambientInPod } from '../netfilter/istio-ambient.ts'
import { changes, is, none, same, served, some } from '../proof/judge.ts'
import { localPath } from '../proof/local-path.ts'
import { client, node, picture, ruleHop, type Step, server, wire } from '../proof/picture.ts'
import { podStackSilent, tapTravelled } from '../proof/tap-facts.ts'
import { sandboxAvailable } from '../sandboxes/choice.ts'
import { guestStack, inSandbox, tapHop } from '../sandboxes/hops.ts'
import { type KataMesh, layKataMesh } from '../sandboxes/kata-mesh.ts'

const bypassed =
  'Kata’s default networking (tcfilter) redirects packets between tap and eth0 before the pod’s netfilter sees them: no in-Pod rule matches, the node proxy gets no connection, and the application speaks plaintext on the wire'

function route({ ends }: KataMesh) {
  const plain = (hop: Step['hop']): Step => ({ hop, carries: 'plaintext' })
  return picture(
    [
      inSandbox(client('connects to the server’s address'), 'client'),
      guestStack('client', ends.sandbox),
      tapHop('client', 'tcfilter'),
      node('client node'),
      wire(),
      node('server node'),
      ruleHop(ambientInPod, 'redirect-15006', 'server', 'server pod'),
      plaintextListener,
      server(),
    ].map(plain),
  )
}

const plaintextListener: Step['hop'] = {
  id: 'server-node-proxy',
  lane: 'server pod',
  kind: 'proxy',
  label: 'node proxy, plaintext :15006',
  detail: 'for callers outside the mesh; passes on what policy does not forbid',
  counters: [
    { key: 'server-node-proxy.plaintext', label: 'accepted', unit: 'connections' },
    { key: 'client-node-proxy.connections', label: 'at the client’s node proxy', unit: 'connections' },
  ],
}

function travelled({ bed }: KataMesh, before: Observation, after: Observation, traffic: Traffic): Fact[] {
  const change = changes(before, after)
  return [
    none('bypassed: no rule of the client pod counted a packet', { 'all rules': change('client.anyRule') }),
    none('bypassed: the client’s node proxy got no connection of the driver', {
      accepted: change('client-node-proxy.connections'),
      CONNECT: change('client-node-proxy.tunnels'),
    }),
    same('bypassed: every connection of the driver entered the server pod in plaintext', {
      driver: traffic.connections,
      'redirect to 15006': change('server.redirect-15006'),
      'plaintext accepted by the server’s node proxy': change('server-node-proxy.plaintext'),
      'accepted by the server': change('echo.connections'),
    }),
    none('bypassed: the server’s node proxy got no tunnel', {
      'CONNECT received': change('server-node-proxy.tunnels'),
    }),
    some('bypassed: the application’s bytes are readable on the wire', {
      'TCP packets': change('wire.tcp'),
      'with payload, not HBONE': change('wire.other'),
      'in plaintext': change('wire.plaintext'),
    }),
    none('bypassed: nothing on the wire is HBONE', { 'HBONE packets': change('wire.hbone') }),
    ...served(change, traffic, 'same bytes'),
    is('the server saw nobody but the client pod', after, 'echo.peers', bed.clientPod.address),
    ...tapTravelled('client', change),
    podStackSilent('client', change),
  ]
}

const kataAmbientTcfilter: Mode = {
  name: 'kata-ambient-tcfilter',
  about: 'kata-ambient with Kata’s default networking: enrolled, and bypassed; shows what the mesh does not see',
  runsOn: ['local'],
  comparedWith: 'kata-ambient',
  settings: { proxy: ['envoy', 'tunnel'] },
  async available(_provider, chosen) {
    const sandbox = await sandboxAvailable()
    return sandbox.ok && chosen?.proxy !== 'tunnel' ? envoyAvailable() : sandbox
  },
  async lay(testbed, scope, _log, chosen): Promise<Path> {
    const laid = await layKataMesh(testbed, scope, chosen, 'tcfilter')
    const { bed, mesh, ends, proxy } = laid
    return localPath(bed, {
      mode: 'kata-ambient-tcfilter',
      proxy,
      bypassed,
      sandboxed: { sandbox: ends.sandbox, ends: ends.ends, client: ends.driver },
      versions: mesh.versions,
      picture: route(laid),
      probes: mesh.probes,
      standing: mesh.standing,
      travelled: (before, after, traffic) => travelled(laid, before, after, traffic),
    })
  },
}

export default kataAmbientTcfilter
