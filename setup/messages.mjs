/** What set-up says: progress on stderr with the time since the start, and errors as one line. */
import { exitCodes } from './exit-codes.mjs'

/** An error for people: one line, and the exit code that goes with it. */
export class SetupError extends Error {
  /**
   * @param {string} line what, where, what to do
   * @param {number} [exitCode]
   */
  constructor(line, exitCode = exitCodes.missing) {
    super(line)
    this.exitCode = exitCode
  }
}

/**
 * @param {number} elapsedMs since the start
 * @param {string} text
 * @param {boolean} colour
 */
export function progressLine(elapsedMs, text, colour) {
  const time = `${(elapsedMs / 1000).toFixed(1)} s`.padStart(7)
  return colour ? `\u001b[2m${time}\u001b[0m  ${text}` : `${time}  ${text}`
}

/** Whether to colour what goes to stderr (no-color.org). */
export const colourful = () => Boolean(process.stderr.isTTY) && !process.env['NO_COLOR']

/** @param {string} text */
export function say(text) {
  process.stderr.write(`${progressLine(performance.now(), text, colourful())}\n`)
}
