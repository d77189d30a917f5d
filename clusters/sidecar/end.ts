/** One end of a mesh of sidecars, and the two kinds of it. */
import type { Fact, Observation, Pin } from '../../harness/contracts.ts'
import type { End } from '../ambient/end.ts'
import type { DeviceSockets } from '../ambient/enrolled.ts'
import type { Envoy } from '../envoy/envoy.ts'
import { sidecarPorts, sidecarRedirect } from '../netfilter/istio-sidecar.ts'
import { iptablesVersion, layRules } from '../netfilter/netfilter.ts'
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
import { listenersProbe, rulesProbe } from '../proof/probes.ts'
import type { Pod } from '../providers/local/bed.ts'

export interface SidecarEnd extends End<Envoy> {
  /** Sockets of the device behind which the application is, if it is not beside the sidecar. */
  readonly device?: DeviceSockets
  /** Of the sidecar; left out: with the datapath. */
  readonly pin?: Pin
  /** Whom the application sees as its caller. */
  readonly source: { readonly claim: string; address(caller: SidecarEnd): string }
}

const rulesStand = (prefix: string, now: Observation): Fact =>
  is(`the ${prefix} pod holds exactly istio-init’s rules`, now, `${prefix}.rules`, '')

/** The application beside its sidecar, behind istio-init's rules. */
export async function besideSidecar(pod: Pod): Promise<SidecarEnd> {
  const prefix = pod.role
  return {
    pod,
    versions: { iptables: await iptablesVersion(pod.place) },
    lay: () => layRules(pod.place, sidecarRedirect),
    probes: ({ proc }) => [
      rulesProbe(prefix, pod.place, sidecarRedirect),
      listenersProbe(prefix, pod.stack, () => proc.pid, [sidecarPorts.outbound, sidecarPorts.inbound]),
    ],
    standing: (now) => [
      rulesStand(prefix, now),
      is(`only the ${prefix} sidecar listens on 15001 and 15006 of its pod`, now, `${prefix}.listeners`, 'held'),
    ],
    captured: (change) => ({
      claim: `rule 9 of the ${prefix} pod captured every connection of the driver`,
      counts: {
        'ISTIO_OUTPUT rule 9': change(`${prefix}.rule-9`),
        'redirect to 15001': change(`${prefix}.redirect-15001`),
      },
    }),
    calls: () => [],
    delivered: (change) => ({ 'ISTIO_OUTPUT rule 1': change(`${prefix}.rule-1`) }),
    answers: () => [],
    source: { claim: 'the server saw nobody but its sidecar (127.0.0.6)', address: () => '127.0.0.6' },
  }
}

/** The application in a sandbox, the sidecar outside of it, a vsock device between. */
export async function outsideSandbox(sandboxed: SandboxedPod, destination: Destination, pin: Pin): Promise<SidecarEnd> {
  const { pod, entrance } = sandboxed
  const prefix = pod.role
  if (entrance.kind !== 'device') throw new Error('a sidecar outside of a sandbox is reached by its device')
  return {
    pod,
    versions: { iptables: await iptablesVersion(pod.place), ...sandboxed.versions },
    device: entrance.sockets,
    pin,
    lay: () => layRules(pod.place, sidecarRedirect),
    probes: ({ proc }) => [
      deviceProbe(prefix, sandboxed, destination),
      rulesProbe(prefix, pod.place, sidecarRedirect),
      listenersProbe(prefix, pod.stack, () => proc.pid, [sidecarPorts.inbound]),
    ],
    standing: (now) => [
      ...deviceStanding(prefix, now),
      rulesStand(prefix, now),
      is(`only the ${prefix} sidecar listens on 15006 of its pod`, now, `${prefix}.listeners`, 'held'),
    ],
    captured: (change) => deviceCaptured(prefix, change),
    calls: (change, traffic) => [
      ...deviceCalls(prefix, change, traffic),
      none(`no rule redirected anything to the ${prefix} sidecar’s outbound port`, {
        'ISTIO_OUTPUT rule 9': change(`${prefix}.rule-9`),
        'redirect to 15001': change(`${prefix}.redirect-15001`),
      }),
    ],
    delivered: (change) => deviceDelivered(prefix, change),
    answers: (change, traffic) => [
      ...deviceAnswers(prefix, change, traffic),
      none(`the ${prefix} sidecar called nobody in its own pod`, { 'ISTIO_OUTPUT rule 1': change(`${prefix}.rule-1`) }),
    ],
    source: {
      claim: 'the server saw nobody but the client pod',
      address: (caller) => caller.pod.address,
    },
  }
}
