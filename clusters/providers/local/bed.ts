/** A laid local testbed: two nodes, a client pod and a server pod with the echo server, wiretaps between them. */
import { chmod, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { BedRequest, Component, Place, Placement, Stack, Testbed } from '../../../harness/contracts.ts'
import type { Scope } from '../../../harness/scope.ts'
import { ComponentRegistry } from './components.ts'
import { findHierarchy, removeGroups } from './control-groups.ts'
import { proxyConcurrency } from './cpus.ts'
import { type EchoServer, startEcho } from './echo-server.ts'
import { claimState } from './leftovers.ts'
import { type NodePlan, netnsName, netnsPath, nodePlans, type PodRole, podAddress, stateDir } from './names.ts'
import { NamespacePlace, type Visit } from './namespace-place.ts'
import { addNamespaces, layNodes, layPod, podSysctls } from './topology.ts'
import { startWiretap, type WireCounts, type Wiretap } from './wiretap.ts'

export interface Node {
  readonly plan: NodePlan
  readonly place: Place
}

export interface Pod {
  readonly role: PodRole
  readonly address: string
  readonly node: Node
  readonly place: Place
  /** Named namespace, for sockets that a node proxy opens in the pod. */
  readonly netnsPath: string
  readonly stack: Stack
}

export interface LocalBed extends Testbed {
  readonly provider: 'local'
  readonly clientPod: Pod
  readonly serverPod: Pod
  readonly echo: EchoServer
  /** Folder for the logs of this visit. */
  readonly logDir: string
  /** Folder on tmpfs for sockets, keys and configuration; gone with the visit. */
  readonly stateDir: string
  /** Worker threads each proxy gets. */
  readonly proxyConcurrency: number
  /** What every mode on this bed stands on, for the manifest. */
  readonly versions: Readonly<Record<string, string>>
  addPod(role: PodRole, node: Node): Promise<Pod>
  /** Ends the echo server and starts it anew in another place, e.g. a sandbox; what it listens on stays. */
  moveServer(place: Place, start?: typeof startEcho): Promise<void>
  /** What went over the wire between the pods, both directions added. */
  wire(): Promise<WireCounts>
}

/** Narrows a testbed to the local provider's; modes call it first. */
export function localBed(bed: Testbed): LocalBed {
  if (bed.provider !== 'local') throw new Error(`a local mode was laid on provider ${bed.provider}`)
  return bed as LocalBed
}

/** Kernel stack of a node. */
export function nodeStack(bed: LocalBed, node: Node): Stack {
  const stack = bed.stacks.find(({ name }) => name === node.plan.role)
  if (!stack) throw new Error(`no stack for ${node.plan.role}`)
  return stack
}

class Bed implements LocalBed {
  readonly provider = 'local'
  readonly placement: Placement
  readonly proxyConcurrency = proxyConcurrency()
  readonly stateDir: string
  readonly logDir: string
  readonly versions = {
    'pod sysctls': Object.entries(podSysctls)
      .map((setting) => setting.join('='))
      .join(', '),
  }
  clientPod!: Pod
  serverPod!: Pod
  echo!: EchoServer
  #taps: readonly Wiretap[] = []
  readonly #visit: Visit
  readonly #runId: string
  readonly #stacks: Stack[] = []

  constructor(request: BedRequest, visit: Visit) {
    this.placement = request.placement
    this.stateDir = join(stateDir(request.runId), 'visit')
    this.logDir = request.workDir
    this.#runId = request.runId
    this.#visit = visit
  }

  get client(): Place {
    return this.clientPod.place
  }

  get components(): readonly Component[] {
    return this.#visit.components.all
  }

  get stacks(): readonly Stack[] {
    return this.#stacks
  }

  async addPod(role: PodRole, node: Node): Promise<Pod> {
    await addNamespaces([netnsName(this.#runId, role)], this.#visit.scope)
    return this.#joinPod(role, node)
  }

  async moveServer(place: Place, start = startEcho): Promise<void> {
    await this.echo.proc.stop()
    this.echo = await start(place, this.serverPod.address)
  }

  async wire(): Promise<WireCounts> {
    const counts = await Promise.all(this.#taps.map((tap) => tap.counts()))
    const sum = (key: keyof WireCounts): number => counts.reduce((total, count) => total + count[key], 0)
    return { tcp: sum('tcp'), plaintext: sum('plaintext'), hbone: sum('hbone'), other: sum('other') }
  }

  async lay(): Promise<void> {
    const roles = ['n1', 'n2', 'client', 'server'] as const
    await addNamespaces(
      roles.map((role) => netnsName(this.#runId, role)),
      this.#visit.scope,
    )
    await layNodes(this.#runId)
    const [n1, n2] = await Promise.all(nodePlans.map((plan) => this.#node(plan)))
    if (!n1 || !n2) throw new Error('two nodes are planned')
    const serverNode = this.placement === 'cross-node' ? n2 : n1
    const [client, server] = await Promise.all([this.#joinPod('client', n1), this.#joinPod('server', serverNode)])
    this.clientPod = client
    this.serverPod = server
    const [echo, taps] = await Promise.all([
      startEcho(server.place, server.address),
      this.#tapWire(n1, n2, [client, server]),
    ])
    this.echo = echo
    this.#taps = taps
  }

  /**
   * Each tap counts what arrives: at the ends of the underlay, or on one node at the pods themselves (a bridge takes
   * packets off its ports before IP taps see them).
   */
  #tapWire(n1: Node, n2: Node, pods: readonly Pod[]): Promise<Wiretap[]> {
    if (this.placement === 'same-node') return Promise.all(pods.map((pod) => startWiretap(pod.place, 'eth0')))
    return Promise.all([n1, n2].map((node) => startWiretap(node.place, 'und0')))
  }

  async #node(plan: NodePlan): Promise<Node> {
    const place = new NamespacePlace(plan.role, netnsName(this.#runId, plan.role), this.#visit)
    const node = { plan, place }
    this.#stacks.push({ name: plan.role, pid: await this.#pause(place) })
    return node
  }

  async #joinPod(role: PodRole, node: Node): Promise<Pod> {
    await layPod(this.#runId, role, node.plan)
    const netns = netnsName(this.#runId, role)
    const place = new NamespacePlace(role, netns, this.#visit)
    const stack = { name: `${role} pod`, pid: await this.#pause(place) }
    this.#stacks.push(stack)
    return { role, address: podAddress(node.plan, role), node, place, netnsPath: netnsPath(netns), stack }
  }

  /** Kubernetes' pause container: keeps the namespace and shows its counters under /proc/PID/net. */
  async #pause(place: Place): Promise<number> {
    const proc = await place.spawn({
      component: 'pause',
      role: 'probe',
      argv: ['sh', '-c', 'echo holding; exec sleep infinity'],
      pin: 'none',
      uid: 65535,
      ready: /^holding$/,
    })
    return proc.pid
  }
}

/** Lays a testbed; `scope` takes it down: processes first, then namespaces, control groups and state. */
export async function layBed(request: BedRequest, scope: Scope): Promise<LocalBed> {
  claimState(request.runId)
  const hierarchy = findHierarchy()
  await mkdir(request.workDir, { recursive: true })
  const components = new ComponentRegistry(hierarchy, request.runId)
  const bed = new Bed(request, { components, scope, logDir: request.workDir, seed: request.seed })
  scope.defer(`control groups of ${request.runId}`, () => removeGroups(hierarchy, request.runId))
  scope.defer(`state of ${request.runId}`, () => rm(stateDir(request.runId), { recursive: true, force: true }))
  await mkdir(bed.stateDir, { recursive: true })
  await chmod(bed.stateDir, 0o711) // proxies run as uid 1337 and must reach their own files by name
  await bed.lay()
  return bed
}
