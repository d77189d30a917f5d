/** `npm run report -- RUN`: builds a run's page again, from its files alone. */

import { z } from 'zod'
import { defineCommand } from '../command.ts'
import { one } from '../options.ts'

export default defineCommand({
  name: 'report',
  about: "builds a run's report again from its files",
  words: ['RUN'],
  options: {
    out: one('DIR', z.string().default('.'), 'folder that holds results/ and gets reports/'),
    chart: one('FILE', z.string().optional(), 'also writes the latency chart as an SVG of its own, e.g. for a README'),
  },
  async run({ options, words }) {
    const { findRun } = await import('../../results/find.ts')
    const { readRecord } = await import('../../results/read.ts')
    const { writeReport } = await import('../../reports/write.ts')
    const { join } = await import('node:path')
    const folder = findRun(options.out, words[0] ?? '')
    const record = await readRecord(folder)
    process.stdout.write(`${await writeReport(record, join(options.out, 'reports'))}\n`)
    if (options.chart !== undefined) {
      const { writeFirstChart } = await import('../../reports/stand-alone.ts')
      await writeFirstChart(record, options.chart)
      process.stdout.write(`${options.chart}\n`)
    }
    return 'ok'
  },
})
