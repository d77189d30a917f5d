/** `npm run ratios -- RUN`: a run as a table of ratios, for a README or a note. */
import { z } from 'zod'
import { defineCommand } from '../command.ts'
import { BenchError } from '../errors.ts'
import { one } from '../options.ts'

const marks = { begin: '<!-- ratios -->', end: '<!-- /ratios -->' } as const

/** The file's text with the table between its marks; throws BenchError `input` where it has none. */
export function withTable(text: string, table: string, file: string): string {
  const [begin, end] = [text.indexOf(marks.begin), text.indexOf(marks.end)]
  if (begin < 0 || end < begin)
    throw new BenchError('input', `${file} has no place for the table`, `put ${marks.begin} and ${marks.end} into it`)
  return `${text.slice(0, begin + marks.begin.length)}\n\n${table}\n${text.slice(end)}`
}

export default defineCommand({
  name: 'ratios',
  about: 'prints a run as a table of ratios, each mode against its yardstick, from its files alone',
  words: ['RUN'],
  options: {
    out: one('DIR', z.string().default('.'), 'folder that holds results/'),
    against: one('MODE', z.string().optional(), 'one yardstick for all modes; else each has its own'),
    write: one('FILE', z.string().optional(), `puts the table between ${marks.begin} and ${marks.end} of a file`),
  },
  async run({ options, words }) {
    const { findRun } = await import('../../results/find.ts')
    const { readRecord } = await import('../../results/read.ts')
    const { analyse } = await import('../../reports/analysis.ts')
    const { ratios } = await import('../../reports/ratios.ts')
    const record = await readRecord(findRun(options.out, words[0] ?? ''))
    const known = Object.keys(record.manifest.modes)
    if (options.against !== undefined && !known.includes(options.against))
      throw new BenchError('usage', `this run has no mode ${options.against}`, `it has ${known.join(', ')}`)
    const { markdown, found } = ratios(analyse(record), options.against)
    if (!found)
      throw new BenchError('input', `run ${record.manifest.run} has no two modes to compare`, 'name a run that has')
    if (options.write === undefined) process.stdout.write(markdown)
    else {
      const { readFile, writeFile } = await import('node:fs/promises')
      const text = await readFile(options.write, 'utf8').catch((cause) => {
        throw new BenchError('input', `${options.write} cannot be read`, 'name a file that exists', { cause })
      })
      await writeFile(options.write, withTable(text, markdown, options.write))
      process.stdout.write(`${options.write}\n`)
    }
    return 'ok'
  },
})
