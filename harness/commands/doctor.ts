/** `npm run doctor`: what can run on this machine, tried rather than guessed, and what to do about the rest. */
import { defineCommand } from '../command.ts'
import { probeKernel } from '../doctor/kernel.ts'
import type { Finding } from '../doctor/probe.ts'
import { asFinding, type Section, table } from '../doctor/table.ts'
import { probeMachine, probeTools } from '../doctor/tools.ts'
import { flag } from '../options.ts'

/** What `npm run bench` uses without arguments. */
const defaults = { provider: 'local', driver: 'native', modes: ['baseline', 'sidecar', 'ambient', 'waypoint'] }

async function plugIns(): Promise<{ providers: Finding[]; modes: Finding[]; drivers: Finding[] }> {
  const { providers } = await import('../../clusters/providers/index.ts')
  const { modes } = await import('../../clusters/datapaths/index.ts')
  const { drivers } = await import('../../workloads/drivers/index.ts')
  return {
    providers: await Promise.all(providers.map(async (p) => asFinding(p.name, p.about, await p.available()))),
    modes: await Promise.all(
      modes.map(async (m) => asFinding(m.name, m.about, await m.available(m.runsOn[0] ?? defaults.provider))),
    ),
    drivers: await Promise.all(drivers.map(async (d) => asFinding(d.name, d.about, await d.available()))),
  }
}

/** Those that stand in the way of the default run. A feature that cannot be told does not. */
function obstacles(found: Awaited<ReturnType<typeof plugIns>>, needed: readonly Finding[]): readonly Finding[] {
  const lacking = (findings: readonly Finding[], names: readonly string[]): readonly Finding[] =>
    findings.filter(({ name, ok }) => ok === false && names.includes(name))
  return [
    ...lacking(found.providers, [defaults.provider]),
    ...lacking(found.drivers, [defaults.driver]),
    ...lacking(found.modes, defaults.modes),
    ...needed.filter(({ ok }) => ok === false),
  ]
}

export default defineCommand({
  name: 'doctor',
  about: 'says what can run on this machine, and if not, why and what to do',
  options: { json: flag('as JSON') },
  async run({ options }) {
    const [found, kernel, tools, machine] = await Promise.all([plugIns(), probeKernel(), probeTools(), probeMachine()])
    const inTheWay = obstacles(found, kernel.needed)
    const sections: readonly Section[] = [
      { title: 'Providers', findings: found.providers },
      { title: 'Modes', findings: found.modes },
      { title: 'Drivers', findings: found.drivers },
      { title: 'Kernel, needed by the modes', findings: kernel.needed },
      { title: 'Kernel, further', findings: kernel.optional },
      { title: 'Tools', findings: tools },
      { title: 'Machine', findings: machine },
    ]
    const ready = inTheWay.length === 0
    const verdict = ready
      ? 'The default run can work here: npm run bench'
      : `The default run cannot work here yet: ${inTheWay.map(({ name }) => name).join(', ')}`
    const text = options.json
      ? `${JSON.stringify({ ready, verdict, sections }, null, 2)}\n`
      : table(sections, verdict, process.stdout.isTTY === true && !process.env['NO_COLOR'])
    process.stdout.write(text)
    return ready ? 'ok' : 'missing'
  },
})
