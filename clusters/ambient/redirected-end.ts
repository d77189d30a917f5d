/** An ordinary pod: istio-cni's in-Pod rules redirect to sockets that the node proxy has in the pod. */

import { ambientInPod, ambientPorts } from '../netfilter/istio-ambient.ts'
import { iptablesVersion, layRules } from '../netfilter/netfilter.ts'
import { is, none, some } from '../proof/judge.ts'
import { listenersProbe, rulesProbe, socketCountProbe } from '../proof/probes.ts'
import { type LocalBed, nodeStack, type Pod } from '../providers/local/bed.ts'
import type { Change, MeshEnd } from './end.ts'

const dns = (change: Change, prefix: string): number => change(`${prefix}.dns-udp`) + change(`${prefix}.dns-tcp`)

export async function redirectedEnd(bed: LocalBed, pod: Pod): Promise<MeshEnd> {
  const prefix = pod.role
  const ports = [ambientPorts.outbound, ambientPorts.inboundPlaintext, ambientPorts.inboundHbone]
  const node = `${prefix}-node`
  return {
    pod,
    prefix,
    entrance: { kind: 'redirect', netnsPath: pod.netnsPath },
    versions: { iptables: await iptablesVersion(pod.place), rules: ambientInPod.source },
    lay: () => layRules(pod.place, ambientInPod),
    probes: (proxy) => [
      rulesProbe(prefix, pod.place, ambientInPod),
      listenersProbe(prefix, pod.stack, () => proxy.proc.pid, ports),
      socketCountProbe(node, nodeStack(bed, pod.node)),
    ],
    standing: (now) => [
      is(`the ${prefix} pod holds exactly istio-cni’s in-Pod rules`, now, `${prefix}.rules`, ''),
      is(`15001, 15006 and 15008 in the ${prefix} pod belong to the node proxy`, now, `${prefix}.listeners`, 'held'),
      none(`the ${prefix}’s node proxy has no socket outside the pods`, {
        'TCP sockets in its node': now.counters[`${node}.sockets`] ?? Number.NaN,
      }),
    ],
    captured: (change) => ({
      claim: `the ${prefix} pod’s in-Pod rule captured every connection of the driver`,
      counts: { 'redirect to 15001': change(`${prefix}.redirect-15001`) },
    }),
    calls: (change) => [
      none(`nothing took another way: the ${prefix} pod was not called and asked no DNS`, {
        'redirect to 15006': change(`${prefix}.redirect-15006`),
        DNS: dns(change, prefix),
      }),
      none(`the ${prefix} pod accepted nothing from its node proxy`, {
        'packets marked': change(`${prefix}.connmark-set`) + change(`${prefix}.connmark-restore`),
      }),
    ],
    delivered: (change) => ({ 'remembered by mark 0x111': change(`${prefix}.connmark-set`) }),
    answers: (change) => [
      none(`nothing entered the ${prefix} pod in plaintext`, {
        'redirect to 15006': change(`${prefix}.redirect-15006`),
      }),
      none(`nothing took another way: the ${prefix} pod called nobody and asked no DNS`, {
        'redirect to 15001': change(`${prefix}.redirect-15001`),
        DNS: dns(change, prefix),
      }),
      some(`replies were kept in the ${prefix} pod by mark 0x111`, {
        'packets marked': change(`${prefix}.connmark-restore`),
      }),
    ],
  }
}
