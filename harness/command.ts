/** The shape of a command and of its options: each option is declared once; parser, types, help and docs come from it. */
import type { z } from 'zod'
import type { ExitName } from './errors.ts'

export interface OptionSpec<T = unknown> {
  /** `flag` takes no value, `one` takes one, `many` may be repeated or hold commas. */
  readonly kind: 'flag' | 'one' | 'many'
  readonly about: string
  /** Stands for the value in help: `NAME`, `SECONDS`. */
  readonly placeholder: string
  /** Parses what was written (string, strings or boolean; undefined if not given) and knows the default. */
  readonly schema: z.ZodType<T>
  /** Valid values, where they come from a registry. */
  readonly choices?: () => Promise<readonly string[]>
  /** A choice may be followed by settings: `ambient@proxy=tunnel`. */
  readonly variants?: true
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>
export type OptionValues<S extends OptionSpecs> = {
  readonly [K in keyof S]: S[K] extends OptionSpec<infer T> ? T : never
}

export interface CommandInput<S extends OptionSpecs = OptionSpecs> {
  readonly options: OptionValues<S>
  /** Names of the options that stood on the command line. */
  readonly given: ReadonlySet<string>
  /** What stood there besides options, e.g. a run. */
  readonly words: readonly string[]
  /** The command line as typed after `npm run`. */
  readonly line: string
}

export interface Command<S extends OptionSpecs = OptionSpecs> {
  readonly name: string
  readonly about: string
  /** Names of the words it needs, e.g. `RUN`. */
  readonly words?: readonly string[]
  /** Keys in camelCase; on the command line in kebab-case. */
  readonly options: S
  run(input: CommandInput<S>): Promise<ExitName>
}

/** Gives a command its types where it is written. */
export function defineCommand<const S extends OptionSpecs>(command: Command<S>): Command {
  return command as unknown as Command
}

/** `dryRun` → `dry-run`. */
export const flagName = (key: string): string => key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
