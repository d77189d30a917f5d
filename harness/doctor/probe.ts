/** What a probe finds, and the two ways to probe: a command in a throwaway network namespace, a few lines of Python. */
import { CommandError } from '../errors.ts'
import { sh } from '../shell.ts'

export interface Finding {
  readonly name: string
  /** null: cannot be told from here. */
  readonly ok: boolean | null
  readonly detail: string
  readonly remedy: string
}

/** Longest a single probe may take, in ms: all are far quicker, and one that hangs must not hang doctor. */
const probeTimeoutMs = 5000

/** Without root a refusal says nothing about the machine. */
export const isRoot = (): boolean => process.getuid?.() === 0

const refused = /operation not permitted|permission denied|EACCES|EPERM|you must be root/i

function reason(cause: unknown): string {
  const said = cause instanceof CommandError ? (cause.stderrTail.trim().split('\n')[0] ?? '') : ''
  const text = said || (cause instanceof Error ? cause.message : String(cause))
  return /: command not found|\bENOENT\b/.test(text) ? 'not found' : text
}

/** Runs `argv` in a network namespace that ends with it: rules and routes made there vanish with it. */
export function inNamespace(argv: readonly string[], input = ''): Promise<string> {
  return sh(['unshare', '--net', ...argv], { input, timeoutMs: probeTimeoutMs })
}

export async function probe(
  name: string,
  remedy: string,
  attempt: () => Promise<string>,
  unknownIf: (why: string) => boolean = () => false,
): Promise<Finding> {
  try {
    return { name, ok: true, detail: await attempt(), remedy: '' }
  } catch (cause) {
    const detail = reason(cause)
    if (!isRoot() && refused.test(detail)) return { name, ok: null, detail: 'only root can tell', remedy: '' }
    return { name, ok: unknownIf(detail) ? null : false, detail, remedy }
  }
}

/** System calls that Node has no words for; without Python the answer is «unknown». */
export function byPython(script: string): Promise<string> {
  return sh(['python3', '-c', script], { timeoutMs: probeTimeoutMs }).then((text) => text.trim())
}
