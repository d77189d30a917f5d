/** A node proxy, whichever software it is: started the same way, asked for the same counters. */
import type { Fact, Observation, Pin } from '../../harness/contracts.ts'
import type { Proc } from '../../harness/process.ts'
import type { Pki } from '../pki/pki.ts'
import type { Probe } from '../proof/probes.ts'
import type { LocalBed, Node } from '../providers/local/bed.ts'
import type { EnrolledPod } from './enrolled.ts'

/**
 * What is asked of a node proxy. Counters of a pod that calls, as `<prefix>.<name>`: `connections` accepted from the
 * application, bytes `received` from it and `sent` to it, `tunnels` asked for. Of a pod that is called: `tunnels`
 * received, connections `upstreamOpened` to the application, `plaintext` connections. What proves the identities is the
 * proxy's own.
 */
export interface NodeProxy {
  readonly proc: Proc
  readonly versions: Readonly<Record<string, string>>
  /** State `<prefix>.software` of a proxy that runs as it should, and the claim about it. */
  readonly software: { readonly claim: string; readonly state: string }
  callerProbe(prefix: string, pod: string): Probe
  calledProbe(prefix: string, pod: string): Probe
  /** Every tunnel of the pod that calls went to exactly this identity. */
  callsOnly(prefix: string, now: Observation, peer: string): readonly Fact[]
  /** Nobody but this identity came into the pod that is called. */
  admitsOnly(prefix: string, now: Observation, peer: string): readonly Fact[]
}

export interface NodeProxySpec {
  readonly bed: LocalBed
  readonly node: Node
  readonly pki: Pki
  readonly pods: readonly EnrolledPod[]
  readonly pin: Pin
}

/** Component name of a node's proxy in samples.csv. */
export const nodeProxyName = (node: Node): string => `${node.plan.role} node proxy`
