/** One end of the mesh: a pod, what is laid in it, and how its application's connections reach the node proxy. */
import type { Fact, Observation, Traffic } from '../../harness/contracts.ts'
import type { Numbers } from '../proof/judge.ts'
import type { Probe } from '../proof/probes.ts'
import type { Pod } from '../providers/local/bed.ts'
import type { Entrance } from './enrolled.ts'
import type { NodeProxy } from './node-proxy.ts'

/** Change of a counter over a shot. */
export type Change = (key: string) => number

/** What the end that calls saw of the application's connections: all of it must equal the driver's. */
export interface Captured {
  readonly claim: string
  readonly counts: Numbers
}

/** One end, whatever proxy (`P`) its application's connections reach. */
export interface End<P> {
  readonly pod: Pod
  readonly versions: Readonly<Record<string, string>>
  lay(): Promise<void>
  probes(proxy: P): readonly Probe[]
  standing(now: Observation): readonly Fact[]
  /** As the end that calls. */
  captured(change: Change): Captured
  calls(change: Change, traffic: Traffic): readonly Fact[]
  /** As the end that is called: what it counted of connections to the application, and the facts beside it. */
  delivered(change: Change): Numbers
  answers(change: Change, traffic: Traffic): readonly Fact[]
}

export interface MeshEnd extends End<NodeProxy> {
  readonly entrance: Entrance
  /** Prefix of this end's counters: `client` or `server`. */
  readonly prefix: string
}
