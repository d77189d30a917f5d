/** Reads `iptables-save -c` and joins it with a rule set: are the rules as written, and how often did each match. */
import { normalForm } from './normal-form.ts'
import type { RuleSet, TableName } from './rule-set.ts'

export interface SavedRule {
  readonly table: TableName
  readonly chain: string
  readonly spec: string
  /** nat counts connections (its chains see only a connection's first packet), the other tables packets. */
  readonly packets: number
  readonly bytes: number
}

/** Parses the output of `iptables-save -c`. Lines that are no rules are skipped. */
export function parseSaved(text: string): SavedRule[] {
  const rules: SavedRule[] = []
  let table: TableName = 'filter'
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1).trim() as TableName
    const match = /^\[(\d+):(\d+)\] -A (\S+) ?(.*)$/.exec(line)
    if (!match) continue
    const [, packets, bytes, chain = '', spec = ''] = match
    rules.push({ table, chain, spec, packets: Number(packets), bytes: Number(bytes) })
  }
  return rules
}

/** What differs between a rule set and what the kernel holds: empty if every chain holds exactly its rules in order. */
export function differences(set: RuleSet, saved: readonly SavedRule[]): string[] {
  const found: string[] = []
  const wanted = set.tables.flatMap((table) => table.rules.map((rule) => ({ table: table.name, ...rule })))
  const chains = new Set([...wanted, ...saved].map((rule) => `${rule.table} ${rule.chain}`))
  for (const chain of chains) {
    const inChain = (rule: { table: string; chain: string }): boolean => `${rule.table} ${rule.chain}` === chain
    const want = wanted.filter(inChain)
    const have = saved.filter(inChain)
    for (let at = 0; at < Math.max(want.length, have.length); at++) {
      const wantSpec = want[at]?.spec
      const haveSpec = have[at]?.spec
      if (wantSpec === undefined) found.push(`${chain}: unexpected rule «${haveSpec}»`)
      else if (haveSpec === undefined) found.push(`${chain}: missing rule «${wantSpec}»`)
      else if (normalForm(wantSpec) !== normalForm(haveSpec))
        found.push(`${chain}: «${haveSpec}» in place of «${wantSpec}»`)
    }
  }
  return found
}

/** Packets (nat: connections) counted by each rule that has an id, keyed by id; rules that are not there count 0. */
export function countersById(set: RuleSet, saved: readonly SavedRule[]): Record<string, number> {
  const counters: Record<string, number> = {}
  for (const table of set.tables) {
    for (const rule of table.rules) {
      if (!rule.id) continue
      const found = saved.find(
        (candidate) =>
          candidate.table === table.name &&
          candidate.chain === rule.chain &&
          normalForm(candidate.spec) === normalForm(rule.spec),
      )
      counters[rule.id] = found?.packets ?? 0
    }
  }
  return counters
}
