/** One-shot commands that a person would type. The only file that imports zx; long-lived processes: process.ts. */
import { $, ProcessOutput } from 'zx'
import { CommandError } from './errors.ts'

export interface ShellOptions {
  readonly input?: string
  readonly timeoutMs?: number
  readonly env?: Readonly<Record<string, string>>
}

/** Runs `argv` without a shell's word splitting and returns stdout. Throws CommandError (argv, exit code, stderr). */
export async function sh(argv: readonly string[], options: ShellOptions = {}): Promise<string> {
  const run = $({
    quiet: true,
    input: options.input ?? '',
    timeout: options.timeoutMs ?? 20_000,
    env: { ...process.env, LC_ALL: 'C', ...options.env },
  })
  try {
    const command = run`${[...argv]}`
    // a command that ends before it has read its input shows by its exit code; the broken pipe adds nothing
    command.stdin.on('error', () => {})
    return (await command).stdout
  } catch (cause) {
    if (cause instanceof ProcessOutput) throw new CommandError(argv, cause.exitCode, cause.stderr, { cause })
    throw cause
  }
}

/** Like `sh`, but says whether it worked instead of throwing. */
export async function succeeds(argv: readonly string[], options: ShellOptions = {}): Promise<boolean> {
  return sh(argv, options).then(
    () => true,
    () => false,
  )
}
