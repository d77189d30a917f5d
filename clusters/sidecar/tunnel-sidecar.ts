/**
 * dpb-tunnel as the sidecar of one pod, beside its application: in the pod, or in the pod's guest. Envoy does not start in a
 * User Mode Linux guest, whose programs have too little address space for its allocator; there this one stands in.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Fact, Observation, Pin, Place } from '../../harness/contracts.ts'
import { nativeTool } from '../../harness/native.ts'
import type { NodeProxy } from '../ambient/node-proxy.ts'
import { tunnelNodeProxy } from '../ambient/tunnel-node-proxy.ts'
import { proxyUid, sidecarPorts, sidecarRedirect } from '../netfilter/istio-sidecar.ts'
import { iptablesVersion, layRules } from '../netfilter/netfilter.ts'
import { type Pki, spiffeId } from '../pki/pki.ts'
import { is } from '../proof/judge.ts'
import { listenersOfUser, noRulesProbe, type Probe, rulesProbe } from '../proof/probes.ts'
import { podStackSilent, tapProbe, tapStanding, tapTravelled } from '../proof/tap-facts.ts'
import type { LocalBed, Pod } from '../providers/local/bed.ts'
import { JsonLines } from '../providers/local/json-lines.ts'
import type { PodSandbox } from '../sandboxes/pod-sandbox.ts'

type Change = (key: string) => number

/** Where a sidecar and its application are, and what that adds to the proof. */
export interface Beside {
  readonly pod: Pod
  readonly place: Place
  /** The same place, where iptables are those that its kernel has. */
  readonly firewall: Place
  /** Folder for keys and configuration, in the place's own file system. */
  readonly folder: string
  readonly pin: Pin
  readonly versions: Readonly<Record<string, string>>
  /** /proc/net/tcp of the place. */
  sockets(): Promise<string>
  readonly probes: readonly Probe[]
  standing(now: Observation): readonly Fact[]
  travelled(change: Change): readonly Fact[]
}

export async function besideInPod(bed: LocalBed, pod: Pod, pin: Pin): Promise<Beside> {
  return {
    pod,
    place: pod.place,
    firewall: pod.place,
    folder: join(bed.stateDir, `${pod.role}-sidecar`),
    pin,
    versions: { iptables: await iptablesVersion(pod.place) },
    sockets: () => readFile(`/proc/${pod.stack.pid}/net/tcp`, 'utf8'),
    probes: [],
    standing: () => [],
    travelled: () => [],
  }
}

/** iptables by their older interface: a guest's kernel may have no other. */
const legacy = (place: Place): Place => ({
  name: place.name,
  spawn: (spec) => place.spawn(spec),
  run: ([program = '', ...rest], input) =>
    place.run([program.replace(/^iptables(?=$|-)/, 'iptables-legacy'), ...rest], input),
})

export async function besideInGuest(sandbox: PodSandbox, pin: Pin): Promise<Beside> {
  const { pod, guest, networking } = sandbox
  const prefix = pod.role
  const firewall = legacy(guest)
  return {
    pod,
    place: guest,
    firewall,
    folder: '/run/sidecar',
    pin,
    versions: { ...sandbox.versions, 'iptables in the guest': await iptablesVersion(firewall) },
    sockets: () => guest.read('/proc/net/tcp'),
    probes: [tapProbe(prefix, sandbox), noRulesProbe(`${prefix}-host-side`, pod.place)],
    standing: (now) => [
      ...tapStanding(prefix, now, networking),
      is(`no rule in the ${prefix} pod’s namespace on the host’s side`, now, `${prefix}-host-side.rules`, ''),
    ],
    travelled: (change) => [...tapTravelled(prefix, change), podStackSilent(prefix, change)],
  }
}

/** Writes a file that only the proxy may read, wherever the place's file system is. */
const writePrivate = ({ place }: Beside, file: string, text: string): Promise<string> =>
  place.run(['sh', '-ec', 'umask 077; cat >"$0"; chown "$1:$1" "$0"', file, String(proxyUid)], text)

async function configure(beside: Beside, pki: Pki, peer: Pod): Promise<string> {
  const { pod, place, folder } = beside
  const at = (name: string): string => join(folder, name)
  const identity = pki.identity(pod.role)
  await place.run(['sh', '-ec', 'mkdir -p "$0"; chmod 711 "$0"', folder])
  const copies = { 'certificate.pem': identity.certificateFile, 'key.pem': identity.keyFile, 'roots.pem': pki.rootFile }
  for (const [name, source] of Object.entries(copies))
    await writePrivate(beside, at(name), await readFile(source, 'utf8'))
  const own = {
    name: pod.role,
    address: pod.address,
    sidecar: true,
    mark: 0,
    certificate: at('certificate.pem'),
    key: at('key.pem'),
    roots: at('roots.pem'),
    reaches: [{ to: peer.address, peer: spiffeId(peer.role) }],
    admits: [spiffeId(peer.role)],
  }
  await writePrivate(beside, at('tunnel.json'), JSON.stringify({ pods: [own] }))
  return at('tunnel.json')
}

/** Lays the rules and starts the sidecar. */
export async function startTunnelSidecar(beside: Beside, pki: Pki, peer: Pod): Promise<NodeProxy> {
  await layRules(beside.firewall, sidecarRedirect)
  const config = await configure(beside, pki, peer)
  const lines = new JsonLines()
  let version = ''
  const proc = await beside.place.spawn({
    component: `${beside.pod.role} sidecar`,
    role: 'proxy',
    argv: [nativeTool('tunnel'), '--config', config],
    pin: beside.pin,
    uid: proxyUid,
    ready: /"event":\s*"ready"/,
    onLine: (line) => {
      version ||= /"version":\s*"([^"]+)"/.exec(line)?.[1] ?? ''
      lines.onLine(line)
    },
  })
  return tunnelNodeProxy({ proc, version, stats: () => lines.ask(proc, 'stats') }, 'dpb-tunnel', 'sidecar')
}

const ports = [sidecarPorts.outbound, sidecarPorts.inbound, sidecarPorts.hbone]

/** Rules, and whose the sidecar's ports are. */
export const besideProbes = (beside: Beside): Probe[] => [
  rulesProbe(beside.pod.role, beside.firewall, sidecarRedirect),
  listenersOfUser(beside.pod.role, beside.sockets, proxyUid, ports),
  ...beside.probes,
]

export const besideStanding = (beside: Beside, now: Observation): Fact[] => {
  const prefix = beside.pod.role
  return [
    is(`beside the ${prefix} are exactly istio-init’s rules`, now, `${prefix}.rules`, ''),
    is(`15001, 15006 and 15008 beside the ${prefix} are the sidecar’s`, now, `${prefix}.listeners`, 'held'),
    ...beside.standing(now),
  ]
}
