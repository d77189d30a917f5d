/**
 * A sandboxed pod whose application's connections come by TSI: guest → vsock device → node proxy. Nothing of it uses the
 * pod's network, so the node holds the pod's address, and no TCP segment may show in the guest or in the pod's namespace.
 */
import type { Fact } from '../../harness/contracts.ts'
import { ambientPorts } from '../netfilter/istio-ambient.ts'
import {
  type Destination,
  deviceAnswers,
  deviceCalls,
  deviceCaptured,
  deviceDelivered,
  deviceProbe,
  deviceStanding,
  type SandboxedPod,
} from '../proof/device-facts.ts'
import { is, none } from '../proof/judge.ts'
import { listenersProbe, noRulesProbe, socketCountProbe } from '../proof/probes.ts'
import { type LocalBed, nodeStack, type Pod } from '../providers/local/bed.ts'
import type { Change, MeshEnd } from './end.ts'

/** The pod's own network stays unused, so that its address can be the node's, where HBONE begins and ends. */
async function giveAddressToNode(pod: Pod): Promise<void> {
  await pod.place.run(['ip', 'addr', 'flush', 'dev', 'eth0'])
  await pod.node.place.run(['ip', 'addr', 'add', `${pod.address}/32`, 'dev', 'lo'])
}

export function deviceEnd(bed: LocalBed, sandboxed: SandboxedPod, destination: Destination): MeshEnd {
  const { pod } = sandboxed
  const prefix = pod.role
  const silentPod = (change: Change): Fact =>
    none(`no TCP stack between the ${prefix} and its node proxy: the pod’s own is silent`, {
      'TCP segments in the pod’s namespace': change(`segments.${pod.stack.name}`),
    })
  return {
    pod,
    prefix,
    entrance: sandboxed.entrance,
    get versions() {
      return sandboxed.versions
    },
    lay: () => giveAddressToNode(pod),
    probes: (proxy) => [
      deviceProbe(prefix, sandboxed, destination),
      noRulesProbe(prefix, pod.place),
      socketCountProbe(prefix, pod.stack),
      listenersProbe(prefix, nodeStack(bed, pod.node), () => proxy.proc.pid, [ambientPorts.inboundHbone]),
    ],
    standing: (now) => [
      ...deviceStanding(prefix, now),
      is(`no rule in the ${prefix} pod`, now, `${prefix}.rules`, ''),
      none(`no TCP socket in the ${prefix} pod`, { sockets: now.counters[`${prefix}.sockets`] ?? Number.NaN }),
      is(`15008 of the ${prefix} belongs to the node proxy`, now, `${prefix}.listeners`, 'held'),
    ],
    captured: (change) => deviceCaptured(prefix, change),
    calls: (change, traffic) => [...deviceCalls(prefix, change, traffic), silentPod(change)],
    delivered: (change) => deviceDelivered(prefix, change),
    answers: (change, traffic) => [...deviceAnswers(prefix, change, traffic), silentPod(change)],
  }
}
