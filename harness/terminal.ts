/** Colour, only where a person looks: a terminal, and no NO_COLOR (no-color.org). */
const colours = (): boolean => process.stderr.isTTY === true && !process.env['NO_COLOR']

const paint =
  (code: number) =>
  (text: string): string =>
    colours() ? `\x1b[${code}m${text}\x1b[0m` : text

export const red = paint(31)
export const yellow = paint(33)
export const dim = paint(2)
