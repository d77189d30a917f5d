/** `npm run doctor`: what can run on this machine, tried rather than guessed, and what to do about the rest. */
import { defineCommand } from '../command.ts'
import { probeKernel } from '../doctor/kernel.ts'
import { type Finding, isRoot } from '../doctor/probe.ts'
import { asFinding, type Section, table, withNeeds } from '../doctor/table.ts'
import { probeMachine, probeTools } from '../doctor/tools.ts'
import { flag } from '../options.ts'

/** What `npm run bench` uses without arguments. */
const defaults = { provider: 'local', driver: 'native', modes: ['baseline', 'sidecar', 'ambient', 'waypoint'] }

async function sandboxes(): Promise<Finding[]> {
  const { sandboxes: kinds } = await import('../../clusters/sandboxes/choice.ts')
  return Promise.all(
    kinds.map(async (kind) => {
      const answer = await kind.available()
      const about = answer.ok ? `a guest boots in ${answer.bootMs} ms, kernel ${answer.kernel}` : kind.about
      return asFinding(kind.name, about, answer)
    }),
  )
}

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

/** Those that stand in the way of the default run. What cannot be told does not. */
function obstacles(found: Awaited<ReturnType<typeof plugIns>>): readonly Finding[] {
  const lacking = (findings: readonly Finding[], names: readonly string[]): readonly Finding[] =>
    findings.filter(({ name, ok }) => ok === false && names.includes(name))
  return [
    ...lacking(found.providers, [defaults.provider]),
    ...lacking(found.drivers, [defaults.driver]),
    ...lacking(found.modes, defaults.modes),
  ]
}

const isDefault = ({ name }: Finding): boolean => name === defaults.driver

/** The default run's modes first and in its order, then the others. */
function inOrder(modes: readonly Finding[]): Finding[] {
  const known = defaults.modes
  const place = ({ name }: Finding): number => (known.includes(name) ? known.indexOf(name) : known.length)
  return modes.toSorted((a, b) => place(a) - place(b))
}

function verdictOn(inTheWay: readonly Finding[]): string {
  if (inTheWay.length === 0) return 'The default run works here: npm run bench'
  if (!isRoot()) return 'Only root can lay datapaths and look into the kernel: sudo npm run doctor'
  return `The default run does not work here yet; in its way: ${inTheWay.map(({ name }) => name).join(', ')}`
}

export default defineCommand({
  name: 'doctor',
  about: 'says what can run on this machine, and if not, why and what to do',
  options: { json: flag('as JSON') },
  async run({ options }) {
    // first and alone: a boot is timed
    const guests = await sandboxes()
    const [plugged, kernel, tools, machine] = await Promise.all([
      plugIns(),
      probeKernel(),
      probeTools(),
      probeMachine(),
    ])
    const found = { ...plugged, modes: inOrder(plugged.modes).map((mode) => withNeeds(mode, kernel.needed)) }
    const inTheWay = obstacles(found)
    const sections: readonly Section[] = [
      { title: 'Providers', optional: false, findings: found.providers },
      { title: 'Modes', optional: false, findings: found.modes },
      { title: 'Sandboxes', optional: true, findings: guests },
      { title: 'Driver', optional: false, findings: found.drivers.filter(isDefault) },
      { title: 'Drivers for a second opinion', optional: true, findings: found.drivers.filter((d) => !isDefault(d)) },
      { title: 'Kernel, needed by the modes', optional: false, findings: kernel.needed },
      { title: 'Kernel, optional', optional: true, findings: kernel.optional },
      { title: 'Tools', optional: false, findings: tools },
      { title: 'Machine', optional: false, findings: machine },
    ]
    const ready = inTheWay.length === 0
    const verdict = verdictOn(inTheWay)
    const text = options.json
      ? `${JSON.stringify({ ready, verdict, sections }, null, 2)}\n`
      : table(sections, verdict, process.stdout.isTTY === true && !process.env['NO_COLOR'])
    process.stdout.write(text)
    return ready ? 'ok' : 'missing'
  },
})
