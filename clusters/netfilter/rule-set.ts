/**
 * Rule sets as data: from one value come the iptables-restore text, the documentation, the path picture and the
 * counters. Rules keep the order in which their chain holds them.
 */
export type TableName = 'raw' | 'mangle' | 'nat' | 'filter'

export interface Rule {
  /** Stable key for facts and pictures, unique in its rule set; only where somebody refers to the rule. */
  readonly id?: string
  readonly chain: string
  /** Everything after `-A CHAIN`, as a person would type it. */
  readonly spec: string
  /** What the rule is for, in words. */
  readonly about: string
}

export interface Table {
  readonly name: TableName
  /** Custom chains, declared before the rules. */
  readonly chains: readonly string[]
  readonly rules: readonly Rule[]
}

/** A policy rule and its route, added beside the netfilter rules (`ip rule`, `ip route`). */
export interface PolicyRoute {
  readonly rule: readonly string[]
  readonly route: readonly string[]
  readonly about: string
}

export interface RuleSet {
  readonly name: string
  /** Project, version and file that the rules were taken from. */
  readonly source: string
  readonly tables: readonly Table[]
  readonly routes: readonly PolicyRoute[]
  /** Kernel settings of the namespace that the rules rely on. */
  readonly settings?: Readonly<Record<string, string>>
}

/** Text for `iptables-restore`: replaces the named tables whole. */
export function toRestoreText(set: RuleSet): string {
  const tables = set.tables.map((table) =>
    [
      `*${table.name}`,
      ...table.chains.map((chain) => `:${chain} - [0:0]`),
      ...table.rules.map((rule) => `-A ${rule.chain} ${rule.spec}`),
      'COMMIT',
    ].join('\n'),
  )
  return `${tables.join('\n')}\n`
}

/** The rule with this id; throws if the set has none (a typing error in a mode). */
export function ruleById(set: RuleSet, id: string): Rule & { readonly table: TableName } {
  for (const table of set.tables) {
    const rule = table.rules.find((candidate) => candidate.id === id)
    if (rule) return { ...rule, table: table.name }
  }
  throw new Error(`rule set ${set.name} has no rule ${id}`)
}
