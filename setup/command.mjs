/** Runs one command of a step, its output in a log below .cache/logs. */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { exitCodes } from './exit-codes.mjs'
import { SetupError } from './messages.mjs'
import { cache, root } from './versions.mjs'

/**
 * The line of a log that says most: the first that speaks of an error and is more than a code, else the last.
 * @param {string} text
 */
export function tellingLine(text) {
  const lines = text.split('\n').map((line) => line.trim())
  const isTelling = (/** @type {string} */ line) =>
    /^(npm )?error\b[:[\s]/i.test(line) && !/^npm error (code|errno|syscall)\b/.test(line)
  return lines.find((line) => isTelling(line) && line.length > 10) ?? lines.filter(Boolean).at(-1) ?? 'it said nothing'
}

/**
 * Resolves when the command has succeeded; throws SetupError with its last line and the log's path.
 * @param {string} step name of the log
 * @param {readonly string[]} argv
 * @param {{ cwd?: string, env?: Record<string, string>, missing?: string }} [options] missing: what to say if the
 *   program itself is not there
 */
export async function runLogged(step, argv, options = {}) {
  mkdirSync(join(cache, 'logs'), { recursive: true })
  const log = join(cache, 'logs', `${step}.log`)
  const handle = openSync(log, 'w')
  const [command, ...args] = /** @type {[string, ...string[]]} */ (argv)
  const child = spawn(command, args, {
    cwd: options.cwd ?? root,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', handle, handle],
  })
  closeSync(handle)
  const outcome = await new Promise((resolve) => {
    child.once('error', () => resolve('absent'))
    child.once('close', (code, signal) => resolve(code ?? signal))
  })
  if (outcome === 0) return
  if (outcome === 'absent') throw new SetupError(options.missing ?? `${command} is not installed; install it`)
  throw new SetupError(
    `${step}: «${argv.slice(0, 3).join(' ')} …» ended with ${outcome}: ${tellingLine(readFileSync(log, 'utf8'))}; log: ${log}`,
    exitCodes.failed,
  )
}
