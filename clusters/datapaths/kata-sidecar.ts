/** Mode `kata-sidecar`: the sidecar and istio-init's rules inside the sandbox, beside the application, as Istio does with Kata. */
import type { Carries, Hop, Mode, Path } from '../../harness/contracts.ts'
import { client, counter, node, picture, type Step, server, wire } from '../proof/picture.ts'
import { localBed, type Pod } from '../providers/local/bed.ts'
import { sandboxAvailable } from '../sandboxes/choice.ts'
import { type SandboxedEnds, sandboxEnds, sandboxedEnds, sandboxedSetting } from '../sandboxes/ends.ts'
import { guestStack, inSandbox, tapHop } from '../sandboxes/hops.ts'
import { redirectKernel } from '../sandboxes/kernel-modules.ts'
import { nodePin } from '../sandboxes/pinning.ts'
import { sidecarRule } from '../sidecar/hops.ts'
import { layTunnelSidecars } from '../sidecar/tunnel-mesh.ts'
import { type Beside, besideInGuest, besideInPod } from '../sidecar/tunnel-sidecar.ts'

type End = 'client' | 'server'

const sidecarHop = (end: End): Hop => ({
  id: `${end}-sidecar`,
  lane: `${end} pod`,
  kind: 'proxy',
  label: `dpb-tunnel as sidecar, ${end === 'client' ? 'outbound :15001' : 'HBONE :15008'}`,
  detail:
    'in place of Envoy, which does not start in User Mode Linux; CONNECT over HTTP/2, mTLS with the pod’s identity',
  counters: [
    counter(`${end}-sidecar.tunnels`, 'CONNECT', 'requests'),
    end === 'client'
      ? counter('client-sidecar.received', 'from the client', 'bytes')
      : counter('server-sidecar.upstreamOpened', 'to the application', 'connections'),
  ],
})

/** What stands beside the application, in the order in which its bytes pass it, and the way to the wire. */
function way(end: End, { sandbox, client: clientSandbox, server: serverSandbox }: SandboxedEnds): Step[] {
  const inside = end === 'client' ? clientSandbox : serverSandbox
  const application = end === 'client' ? client('connects to the server’s address') : server()
  const beside = (hop: Hop): Hop => (inside ? { ...hop, lane: `${end} sandbox` } : hop)
  const rules = end === 'client' ? (['rule-9', 'redirect-15001'] as const) : (['rule-1'] as const)
  const step = (hop: Hop, carries: Carries): Step => ({ hop, carries })
  const plain = [inside ? inSandbox(application, end) : application, ...rules.map((id) => beside(sidecarRule(id, end)))]
  const outer = inside ? [guestStack(end, sandbox), tapHop(end, 'tcfilter')] : []
  const gate = beside(sidecarRule(end === 'client' ? 'rule-4' : 'hbone', end))
  if (end === 'client')
    return [
      ...plain.map((hop) => step(hop, 'plaintext')),
      ...[beside(sidecarHop(end)), gate, ...outer].map((hop) => step(hop, 'hbone')),
    ]
  return [
    ...[...outer.toReversed(), gate].map((hop) => step(hop, 'hbone')),
    ...[beside(sidecarHop(end)), ...plain.toReversed()].map((hop) => step(hop, 'plaintext')),
  ]
}

const kataSidecar: Mode = {
  name: 'kata-sidecar',
  about: 'sidecar and istio-init’s rules inside the sandbox, beside the application; HBONE from sidecar to sidecar',
  runsOn: ['local'],
  comparedWith: 'kata',
  settings: { proxy: ['tunnel'], ...sandboxedSetting },
  available: () => sandboxAvailable(),
  async lay(testbed, scope, _log, chosen): Promise<Path> {
    const bed = localBed(testbed)
    const sandboxed = sandboxedEnds(chosen)
    const ends = await sandboxEnds(bed, sandboxed, 'tcfilter', scope, redirectKernel)
    const endOf = (pod: Pod, sandbox = pod.role === 'client' ? ends.client : ends.server): Promise<Beside> => {
      const pin = nodePin(bed, pod.node, sandboxed)
      return sandbox ? besideInGuest(sandbox, pin) : besideInPod(bed, pod, pin)
    }
    const between = [node('client node'), wire(), node('server node')].map((hop): Step => ({ hop, carries: 'hbone' }))
    return layTunnelSidecars({
      mode: 'kata-sidecar',
      bed,
      client: await endOf(bed.clientPod),
      server: await endOf(bed.serverPod),
      picture: picture([...way('client', ends), ...between, ...way('server', ends)]),
      sandboxed: { sandbox: ends.sandbox, ends: ends.ends, client: ends.driver },
    })
  },
}

export default kataSidecar
