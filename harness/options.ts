/** Options: how they are declared, parsed and shown in help; the options of `bench` themselves. */
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { type Command, type CommandInput, flagName, type OptionSpec, type OptionSpecs } from './command.ts'
import { BenchError } from './errors.ts'
import { didYouMean } from './nearest.ts'
import { variantStem } from './variants.ts'

export const flag = (about: string): OptionSpec<boolean> => ({
  kind: 'flag',
  about,
  placeholder: '',
  schema: z.boolean().default(false),
})
export const one = <T>(placeholder: string, schema: z.ZodType<T>, about: string, more: Partial<OptionSpec<T>> = {}) =>
  ({ kind: 'one', about, placeholder, schema, ...more }) as const satisfies OptionSpec<T>
export const many = <T>(placeholder: string, schema: z.ZodType<T>, about: string, more: Partial<OptionSpec<T>> = {}) =>
  ({ kind: 'many', about, placeholder, schema, ...more }) as const satisfies OptionSpec<T>

const positive = z.coerce.number<string>().positive()
const whole = z.coerce.number<string>().int().positive()

const list = <T extends z.ZodType>(each: T) => z.array(each).nonempty()

/** Options of `bench`. What has no default comes from the profile. */
export const benchOptions = {
  mode: many('NAME', list(z.string()).default(['baseline', 'sidecar', 'ambient', 'waypoint']), 'datapath to measure', {
    choices: async () => (await import('../clusters/datapaths/index.ts')).modes.map((mode) => mode.name),
    variants: true,
  }),
  proxy: one(
    'NAME',
    z.enum(['envoy', 'tunnel']).optional(),
    'proxy of every mode that has this choice; for one mode: --mode ambient@proxy=tunnel',
  ),
  sandboxed: one(
    'END',
    z.enum(['client', 'server', 'both']).optional(),
    'which applications are in a sandbox, for every mode that has the choice; for one mode: --mode kata@sandboxed=both',
  ),
  provider: one('NAME', z.string().default('local'), 'where the pods live', {
    choices: async () => (await import('../clusters/providers/index.ts')).providers.map((provider) => provider.name),
  }),
  driver: one('NAME', z.string().default('native'), 'what makes the load', {
    choices: async () => (await import('../workloads/drivers/index.ts')).drivers.map((driver) => driver.name),
  }),
  profile: one('NAME', z.enum(['quick', 'standard', 'thorough']).default('quick'), 'how long and how often'),
  test: many('NAME', list(z.enum(['latency', 'capacity', 'rr', 'crr', 'stream'])).optional(), 'what to measure'),
  protocol: one('NAME', z.enum(['http', 'tcp']).optional(), 'protocol of all tests; without it, each test has its own'),
  rate: many('N', list(positive).optional(), 'requests per second of the latency cells; excludes --load'),
  load: many(
    'PERCENT',
    list(positive.max(100)).optional(),
    "rate of the latency cells as a share of the weakest mode's capacity",
  ),
  connections: many('N', list(whole.max(10_000)).optional(), 'concurrent connections of all tests'),
  payload: many('BYTES', list(whole.max(1 << 24)).optional(), 'payload of a request and of its answer'),
  duration: one('SECONDS', positive.max(3600).optional(), 'measured window of every cell'),
  blocks: one('N', whole.max(1000).optional(), 'interleaved repeats of every mode'),
  seed: one(
    'N',
    z.coerce.number<string>().int().nonnegative().max(0xffffffff).default(1),
    'seeds orders, send times and layout',
  ),
  placement: one('PLACE', z.enum(['cross-node', 'same-node']).default('cross-node'), 'nodes of client and server'),
  calmTimeout: one(
    'SECONDS',
    z.coerce.number<string>().nonnegative().max(86_400).optional(),
    'how long, in all, a run may wait for a host that is not squeezed; else by profile',
  ),
  out: one('DIR', z.string().default('.'), 'folder that gets results/ and reports/'),
  resume: one('RUN', z.string().optional(), 'run only what is missing in this run'),
  keep: flag('hold the last testbed for inspection until Ctrl-C'),
  dryRun: flag('print the cells and the time they will take'),
  json: flag('JSON lines on stdout instead of text'),
  yes: flag('install missing packages without asking'),
} as const satisfies OptionSpecs

interface Written {
  readonly values: Record<string, string[] | boolean>
  readonly words: string[]
}

function scan(command: Command, argv: readonly string[]): Written {
  const byFlag = new Map(Object.entries(command.options).map(([key, spec]) => [flagName(key), { key, spec }]))
  const options = Object.fromEntries(
    [...byFlag].map(([name, { spec }]) => [
      name,
      { type: spec.kind === 'flag' ? ('boolean' as const) : ('string' as const), multiple: true },
    ]),
  )
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true })
  const written: Written = { values: {}, words: [] }
  for (const token of tokens) {
    if (token.kind === 'positional') written.words.push(token.value)
    if (token.kind !== 'option') continue
    const known = byFlag.get(token.name)
    if (!known) {
      const names = [...byFlag.keys()].map((name) => `--${name}`)
      throw new BenchError('usage', `unknown option ${token.rawName}`, didYouMean(`--${token.name}`, names))
    }
    written.values[known.key] = parsedValue(known.spec, token, written.values[known.key])
  }
  return written
}

function parsedValue(
  spec: OptionSpec,
  token: { rawName: string; value?: string | undefined },
  before: string[] | boolean | undefined,
): string[] | boolean {
  if (spec.kind === 'flag') {
    if (token.value === undefined) return true
    throw new BenchError('usage', `${token.rawName} takes no value`, `write ${token.rawName} alone`)
  }
  if (token.value === undefined || token.value === '')
    throw new BenchError('usage', `${token.rawName} needs a value`, `e.g. ${token.rawName} ${spec.placeholder}`)
  const given = spec.kind === 'many' ? token.value.split(',').map((part) => part.trim()) : [token.value]
  if (spec.kind === 'one' && Array.isArray(before))
    throw new BenchError('usage', `${token.rawName} was given twice`, 'give it once')
  return [...(Array.isArray(before) ? before : []), ...given]
}

async function check(key: string, spec: OptionSpec, raw: string[] | boolean | undefined): Promise<unknown> {
  const flagged = `--${flagName(key)}`
  const parsed = spec.schema.safeParse(Array.isArray(raw) && spec.kind === 'one' ? raw[0] : raw)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const wrong = Array.isArray(raw) ? String(raw[Number(issue?.path[0] ?? 0)] ?? raw.join(',')) : ''
    if (issue?.code === 'invalid_value')
      throw new BenchError('usage', `unknown ${flagged} ${wrong}`, didYouMean(wrong, issue.values.map(String)))
    throw new BenchError('usage', `${flagged} ${wrong}: ${issue?.message ?? 'not valid'}`, spec.about)
  }
  const values = [parsed.data].flat()
  if (spec.choices && raw !== undefined) {
    const choices = await spec.choices()
    const stem = (value: unknown) => (spec.variants ? variantStem(String(value)) : String(value))
    const wrong = values.find((value) => !choices.includes(stem(value)))
    if (wrong !== undefined)
      throw new BenchError('usage', `unknown ${flagged} ${wrong}`, didYouMean(String(wrong), choices))
  }
  return Array.isArray(parsed.data) ? [...new Set(parsed.data)] : parsed.data
}

/** Parses a command's arguments; throws BenchError `usage` with one line. */
export async function parse(command: Command, argv: readonly string[]): Promise<CommandInput> {
  const { values, words } = scan(command, argv)
  const wanted = command.words ?? []
  if (words.length > wanted.length)
    throw new BenchError('usage', `«${words[wanted.length]}» is not expected here`, `npm run ${command.name} -- --help`)
  if (words.length < wanted.length)
    throw new BenchError('usage', `${command.name} needs ${wanted[words.length]}`, `npm run ${command.name} -- --help`)
  const options: Record<string, unknown> = {}
  for (const [key, spec] of Object.entries(command.options)) options[key] = await check(key, spec, values[key])
  const line = [command.name, ...(argv.length > 0 ? ['--', ...argv] : [])].join(' ')
  return { options, given: new Set(Object.keys(values)), words, line } as CommandInput
}

/** Default of an option as text, or an empty string. */
export function defaultText(spec: OptionSpec): string {
  const value = spec.schema.safeParse(undefined).data
  return value === undefined || value === false ? '' : [value].flat().join(',')
}

/** Help text of a command. */
export function help(command: Command): string {
  const rows = Object.entries(command.options).map(([key, spec]) => {
    const fallback = defaultText(spec)
    const left = `--${flagName(key)}${spec.placeholder ? ` ${spec.placeholder}` : ''}${spec.kind === 'many' ? ' …' : ''}`
    return [left, `${spec.about}${fallback ? ` [${fallback}]` : ''}`] as const
  })
  const width = Math.max(0, ...rows.map(([left]) => left.length))
  const usage = ['npm run', command.name, '--', ...(command.words ?? []), rows.length > 0 ? '[options]' : ''].join(' ')
  return [`${command.about}\n\n${usage.trim()}\n`, ...rows.map(([l, r]) => `  ${l.padEnd(width)}  ${r}`)].join('\n')
}
