/**
 * Errors that say what, where, and what to do; one exit code each, from one table (docs/exit-codes in README).
 */
export const exitCodes = {
  ok: { code: 0, about: 'done; with `gate`: not worse' },
  worse: { code: 1, about: 'gate: worse' },
  undecided: { code: 2, about: 'gate: cannot tell; bench: too many shots are void' },
  failed: { code: 3, about: 'the run could not be carried out' },
  usage: { code: 64, about: 'unknown command, option or value (EX_USAGE of sysexits.h)' },
  input: { code: 66, about: 'a file or run that was named cannot be read (EX_NOINPUT)' },
  missing: { code: 69, about: 'this machine lacks something the command needs (EX_UNAVAILABLE)' },
  internal: { code: 70, about: 'a bug in datapath-bench (EX_SOFTWARE)' },
  output: { code: 74, about: 'results cannot be written, e.g. disk full (EX_IOERR)' },
  busy: { code: 75, about: 'another run is measuring on this machine (EX_TEMPFAIL)' },
  interrupted: { code: 130, about: 'stopped by Ctrl-C; finished shots and the report are kept' },
} as const

export type ExitName = keyof typeof exitCodes

/** An error for people: one line «what: where; what to do». */
export class BenchError extends Error {
  readonly exit: ExitName
  readonly remedy: string

  constructor(exit: ExitName, what: string, remedy: string, options?: ErrorOptions) {
    super(what, options)
    this.name = 'BenchError'
    this.exit = exit
    this.remedy = remedy
  }

  /** The line a user sees. */
  line(): string {
    return this.remedy ? `${this.message}; ${this.remedy}` : this.message
  }
}

/** A short command failed: carries its arguments, exit and the end of its stderr. */
export class CommandError extends Error {
  readonly argv: readonly string[]
  readonly exitCode: number | null
  readonly stderrTail: string

  constructor(argv: readonly string[], exitCode: number | null, stderrTail: string, options?: ErrorOptions) {
    const tail = stderrTail.trim().split('\n').slice(-3).join(' | ')
    super(`${argv.join(' ')} exited with ${exitCode ?? 'a signal'}${tail ? `: ${tail}` : ''}`, options)
    this.name = 'CommandError'
    this.argv = argv
    this.exitCode = exitCode
    this.stderrTail = stderrTail
  }
}
