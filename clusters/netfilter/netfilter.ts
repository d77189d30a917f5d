/** Lays rule sets in a namespace and reads their counters, by the iptables tools that are installed. */
import type { Place } from '../../harness/contracts.ts'
import { type RuleSet, toRestoreText } from './rule-set.ts'
import { parseSaved, type SavedRule } from './saved-rules.ts'

/** Loads the rules with iptables-restore, with their settings and policy routes. The namespace's end removes them. */
export async function layRules(place: Place, set: RuleSet): Promise<void> {
  const settings = Object.entries(set.settings ?? {}).map(([name, value]) => `${name}=${value}`)
  if (settings.length > 0) await place.run(['sysctl', '-q', ...settings])
  await place.run(['iptables-restore', '--wait', '5'], toRestoreText(set))
  for (const { rule, route } of set.routes) {
    await place.run(['ip', 'rule', 'add', ...rule])
    await place.run(['ip', 'route', 'add', ...route])
  }
}

/** All rules that the namespace holds, with their counters. */
export async function readRules(place: Place): Promise<SavedRule[]> {
  return parseSaved(await place.run(['iptables-save', '-c']))
}

/** Version and backend (nf_tables or legacy) of iptables. */
export async function iptablesVersion(place: Place): Promise<string> {
  return (await place.run(['iptables', '--version'])).trim()
}
