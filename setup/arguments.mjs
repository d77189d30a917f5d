/** Which steps a command needs, from its name and arguments. */
import { exitCodes } from './exit-codes.mjs'
import { SetupError } from './messages.mjs'
import { NODE_MAJORS } from './versions.mjs'

/** @typedef {'npm' | 'native' | 'envoy' | 'uml' | 'qemu' | 'debian'} StepName */

/** The commands of package.json. */
export const commands = ['bench', 'doctor', 'modes', 'report', 'ratios', 'clean', 'gen', 'speed', 'test']

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {StepName[]}
 */
export function stepsFor(command, args) {
  const onlyTalks = ['--dry-run', '--help', '-h'].some((flag) => args.includes(flag))
  if (onlyTalks || (command === 'test' && args.includes('--unit'))) return ['npm']
  // downloads for those who want a sandbox
  /** @type {StepName[]} */
  const sandboxes = command === 'test' ? ['uml', 'qemu'] : args.some((arg) => /kata|sandbox/.test(arg)) ? ['uml'] : []
  if (['bench', 'speed', 'test'].includes(command)) return ['npm', 'debian', 'native', 'envoy', ...sandboxes]
  // doctor looks at the machine and does not change it; what lies in the project's own folder it may build
  if (command === 'doctor') return ['npm', 'native', 'envoy', 'uml']
  return ['npm']
}

/**
 * Whether set-up may install without asking.
 * @param {readonly string[]} args
 * @param {Readonly<Record<string, string | undefined>>} env
 * @param {boolean} terminal
 */
export function goesOn(args, env, terminal) {
  return args.includes('--yes') || args.includes('-y') || env['CI'] === 'true' || env['CI'] === '1' || !terminal
}

/**
 * Why this Node cannot run the project, or undefined.
 * @param {string} version as in process.versions.node
 */
export function nodeProblem(version) {
  const major = Number(version.split('.')[0])
  const { oldest, newest } = NODE_MAJORS
  if (major >= oldest && major <= newest) return undefined
  return `datapath-bench runs on Node ${oldest} to ${newest}, this is ${version}; install one of those`
}

/**
 * What `npm test` passes on to vitest: paths, and `-t NAME`. Throws on any other option, before minutes of tests.
 * @param {readonly string[]} args
 * @returns {{ unit: boolean, more: string[] }}
 */
export function testArguments(args) {
  const more = args.filter((arg) => !['--unit', '--yes', '-y'].includes(arg))
  const unknown = more.find((arg) => arg.startsWith('-') && arg !== '-t')
  if (unknown)
    throw new SetupError(`unknown option ${unknown}; npm test takes paths, -t NAME, --unit, --yes`, exitCodes.usage)
  return { unit: args.includes('--unit'), more }
}
