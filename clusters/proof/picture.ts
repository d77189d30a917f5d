/** Builds path pictures from a mode's own data: rules from the rule set, counters by the keys of its observation. */
import type { Carries, Hop, HopCounter, PathPicture } from '../../harness/contracts.ts'
import { type RuleSet, ruleById } from '../netfilter/rule-set.ts'

export const lanes = ['client pod', 'client node', 'underlay', 'server node', 'server pod'] as const
const clientSandbox = 'client sandbox'
const serverSandbox = 'server sandbox'
export type Lane = (typeof lanes)[number] | typeof clientSandbox | typeof serverSandbox

/** All lanes between the pods, and those of sandboxes where something stands in them. */
function lanesOf(hops: readonly Hop[]): readonly Lane[] {
  const used = (lane: Lane): Lane[] => (hops.some((hop) => hop.lane === lane) ? [lane] : [])
  return [...used(clientSandbox), ...lanes, ...used(serverSandbox)]
}

/** A hop and what travels from it to the next one. */
export interface Step {
  readonly hop: Hop
  readonly carries: Carries
  /** What the link to the next hop is called, e.g. `HBONE :15008`. */
  readonly link?: string
}

export const counter = (key: string, label: string, unit: HopCounter['unit']): HopCounter => ({ key, label, unit })

/** The talk's number of a rule, where its id has one. */
const numbered = (id: string): string => (/^rule-\d+$/.test(id) ? id.replace('-', ' ') : '')

/** A rule of a set as a hop; nat rules count connections, others packets. */
export function ruleHop(set: RuleSet, id: string, prefix: string, lane: Lane): Hop {
  const rule = ruleById(set, id)
  const unit = rule.table === 'nat' ? 'connections' : 'packets'
  return {
    id: `${prefix}.${id}`,
    lane,
    kind: 'rule',
    label: `${[rule.chain, numbered(id), rule.spec.replace(/^.*-j /, '→ ')].filter(Boolean).join(' ')}`,
    detail: `${rule.table}: -A ${rule.chain} ${rule.spec} (${rule.about})`,
    counters: [counter(`${prefix}.${id}`, `${rule.table} rule`, unit)],
  }
}

export const client = (detail: string): Hop => ({
  id: 'client',
  lane: 'client pod',
  kind: 'application',
  label: 'client (load driver)',
  detail,
  counters: [counter('segments.client pod', 'TCP segments in the pod', 'segments')],
})

export const server = (): Hop => ({
  id: 'server',
  lane: 'server pod',
  kind: 'application',
  label: 'echo server',
  detail: 'HTTP on 8080, raw TCP on 8081',
  counters: [
    counter('echo.connections', 'accepted', 'connections'),
    counter('echo.requests', 'answered', 'requests'),
    counter('segments.server pod', 'TCP segments in the pod', 'segments'),
  ],
})

export const wire = (): Hop => ({
  id: 'wire',
  lane: 'underlay',
  kind: 'wire',
  label: 'wire between the pods',
  detail: 'counted by dpb-wiretap at both ends',
  counters: [
    counter('wire.tcp', 'TCP packets', 'packets'),
    counter('wire.hbone', 'of these HBONE', 'packets'),
    counter('wire.plaintext', 'of these plaintext', 'packets'),
  ],
})

export const node = (lane: 'client node' | 'server node'): Hop => ({
  id: lane.replace(' ', '-'),
  lane,
  kind: 'stack',
  label: 'bridge and routing',
  detail: 'forwarded by the node’s kernel',
  counters: [],
})

/** A picture whose links join each step to the next. */
export function picture(steps: readonly Step[]): PathPicture {
  const hops = steps.map((step) => step.hop)
  return {
    lanes: lanesOf(hops),
    hops,
    links: steps.slice(0, -1).map((step, index) => ({
      from: step.hop.id,
      to: steps[index + 1]?.hop.id ?? '',
      carries: step.carries,
      ...(step.link ? { label: step.link } : {}),
    })),
  }
}
