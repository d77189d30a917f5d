/**
 * A sandboxed pod whose application's connections come by TCP over its tap: the standard way of Kata with ambient. With
 * l3forwarding the pod's namespace routes, and rules of its own for that redirect to the sockets of the node proxy.
 */

import { ambientPorts } from '../netfilter/istio-ambient.ts'
import { ambientKata } from '../netfilter/istio-ambient-kata.ts'
import { iptablesVersion, layRules } from '../netfilter/netfilter.ts'
import { is, none, some } from '../proof/judge.ts'
import { anyRuleProbe, listenersProbe, rulesProbe, socketCountProbe } from '../proof/probes.ts'
import { tapProbe, tapStanding, tapTravelled } from '../proof/tap-facts.ts'
import { type LocalBed, nodeStack } from '../providers/local/bed.ts'
import type { PodSandbox } from '../sandboxes/pod-sandbox.ts'
import type { Change, MeshEnd } from './end.ts'

/** What kept a packet in the namespace for the node proxy's sockets. */
const kept = (prefix: string, change: Change) => ({
  'packets from the node': change(`${prefix}.mark-eth0`),
  'packets of its sockets': change(`${prefix}.mark-socket`),
})

const stray = (prefix: string, change: Change) => ({
  DNS: change(`${prefix}.dns-udp`) + change(`${prefix}.dns-tcp`) + change(`${prefix}.mark-dns`),
  'calls of the node proxy to the pod itself': change(`${prefix}.mark-hbone`),
})

export async function tapEnd(bed: LocalBed, sandbox: PodSandbox): Promise<MeshEnd> {
  const { pod, networking } = sandbox
  const prefix = pod.role
  const rules = ambientKata({ address: pod.address, gateway: pod.node.plan.gateway })
  const ports = [ambientPorts.outbound, ambientPorts.inboundPlaintext, ambientPorts.inboundHbone]
  const node = `${prefix}-node`
  return {
    pod,
    prefix,
    entrance: { kind: 'redirect', netnsPath: pod.netnsPath },
    versions: {
      iptables: await iptablesVersion(pod.place),
      'rules of sandboxed pods': rules.source,
      ...sandbox.versions,
    },
    lay: () => layRules(pod.place, rules),
    probes: (proxy) => [
      rulesProbe(prefix, pod.place, rules),
      anyRuleProbe(prefix, pod.place),
      tapProbe(prefix, sandbox),
      listenersProbe(prefix, pod.stack, () => proxy.proc.pid, ports),
      socketCountProbe(node, nodeStack(bed, pod.node)),
    ],
    standing: (now) => [
      ...tapStanding(prefix, now, networking),
      is(`the ${prefix} pod holds exactly istio-cni’s rules for Kata pods`, now, `${prefix}.rules`, ''),
      is(`15001, 15006 and 15008 in the ${prefix} pod belong to the node proxy`, now, `${prefix}.listeners`, 'held'),
      none(`the ${prefix}’s node proxy has no socket outside the pods`, {
        'TCP sockets in its node': now.counters[`${node}.sockets`] ?? Number.NaN,
      }),
    ],
    captured: (change) => ({
      claim: `the ${prefix} pod’s rule captured every connection of the driver as it came out of the guest`,
      counts: { 'redirect to 15001': change(`${prefix}.redirect-15001`) },
    }),
    calls: (change) => [
      ...tapTravelled(prefix, change),
      none(`nothing took another way: the ${prefix} pod was not called and asked no DNS`, {
        'redirect to 15006': change(`${prefix}.redirect-15006`),
        ...stray(prefix, change),
      }),
      some(`mark 0x111 kept the node proxy’s packets in the ${prefix} pod’s namespace`, {
        ...kept(prefix, change),
        'all rules': change(`${prefix}.anyRule`),
      }),
    ],
    delivered: () => ({}),
    answers: (change) => [
      ...tapTravelled(prefix, change),
      none(`nothing entered the ${prefix} pod in plaintext`, {
        'redirect to 15006': change(`${prefix}.redirect-15006`),
      }),
      none(`nothing took another way: the ${prefix} pod called nobody and asked no DNS`, {
        'redirect to 15001': change(`${prefix}.redirect-15001`),
        ...stray(prefix, change),
      }),
      some(`mark 0x111 kept the node proxy’s packets in the ${prefix} pod’s namespace`, {
        ...kept(prefix, change),
        'all rules': change(`${prefix}.anyRule`),
      }),
    ],
  }
}
