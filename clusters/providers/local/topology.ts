/**
 * Nodes and pods as network namespaces: each node has a bridge for its pods and one leg of a veth pair as underlay.
 * Nothing is ever made in the host's own namespace: links are born inside the namespaces of the run.
 */
import type { Scope } from '../../../harness/scope.ts'
import { sh } from '../../../harness/shell.ts'
import { type NodePlan, netnsName, netnsPath, nodePlans, type PodRole, podAddress } from './names.ts'

/** Runs several `ip` commands inside one namespace by a single process. */
const ipBatch = (netns: string, lines: readonly string[]): Promise<string> =>
  sh(['ip', '-n', netns, '-batch', '-'], { input: `${lines.join('\n')}\n` })

const sysctl = (netns: string, settings: Readonly<Record<string, string>>): Promise<string> =>
  sh([
    'nsenter',
    `--net=${netnsPath(netns)}`,
    '--',
    'sysctl',
    '-q',
    ...Object.entries(settings).map(([k, v]) => `${k}=${v}`),
  ])

/**
 * Per-namespace settings of every pod. New-connection tests would otherwise measure the exhaustion of 28,000 ports by
 * TIME_WAIT; the values go into the manifest, since a connection rate means nothing without them.
 */
export const podSysctls = {
  'net.ipv4.ip_local_port_range': '20001 65535',
  'net.ipv4.tcp_tw_reuse': '1',
  'net.ipv4.tcp_max_tw_buckets': '4096',
  'net.core.somaxconn': '4096',
} as const

/** Adds namespaces and their loopback; the scope deletes them. */
export async function addNamespaces(names: readonly string[], scope: Scope): Promise<void> {
  for (const name of names) scope.defer(`namespace ${name}`, () => sh(['ip', 'netns', 'delete', name]))
  await sh(['ip', '-batch', '-'], { input: names.map((name) => `netns add ${name}\n`).join('') })
}

/** Lays both nodes: bridge, forwarding, and the underlay between them. */
export async function layNodes(runId: string): Promise<void> {
  const [n1, n2] = nodePlans.map((node) => netnsName(runId, node.role)) as [string, string]
  await ipBatch(n1, [`link add und0 type veth peer name und0 netns ${n2}`])
  await Promise.all(
    nodePlans.map(async (node, index) => {
      const other = nodePlans[1 - index] as NodePlan
      const netns = netnsName(runId, node.role)
      await ipBatch(netns, [
        'link set lo up',
        'link add br0 type bridge',
        `addr add ${node.gateway}/24 dev br0`,
        'link set br0 up',
        `addr add ${node.underlay}/24 dev und0`,
        'link set und0 up',
        `route add ${other.subnet} via ${other.underlay} onlink dev und0`,
      ])
      await sysctl(netns, { 'net.ipv4.ip_forward': '1' })
    }),
  )
}

/** Host-side end of a pod's veth pair, in its node's namespace. */
const vethName = (pod: PodRole): string => `v-${pod}`

/** Joins a pod's namespace to its node's bridge. */
export async function layPod(runId: string, pod: PodRole, node: NodePlan): Promise<void> {
  const podNs = netnsName(runId, pod)
  const nodeNs = netnsName(runId, node.role)
  await ipBatch(nodeNs, [
    `link add ${vethName(pod)} type veth peer name eth0 netns ${podNs}`,
    `link set ${vethName(pod)} master br0 up`,
  ])
  await ipBatch(podNs, [
    'link set lo up',
    `addr add ${podAddress(node, pod)}/24 dev eth0`,
    'link set eth0 up',
    `route add default via ${node.gateway}`,
  ])
  await sysctl(podNs, podSysctls)
}
