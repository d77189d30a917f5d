/** `npm run modes`: the datapaths and whether they can run here. */
import { defineCommand } from '../command.ts'
import { flag } from '../options.ts'

export default defineCommand({
  name: 'modes',
  about: 'lists the datapaths and whether they can run here',
  options: { json: flag('as JSON') },
  async run({ options }) {
    const { modes } = await import('../../clusters/datapaths/index.ts')
    const rows = await Promise.all(
      modes.map(async ({ name, about, runsOn, comparedWith, settings = {}, available }) => {
        const provider = runsOn[0] ?? 'local'
        return { name, about, runsOn, comparedWith, settings, provider, available: await available(provider) }
      }),
    )
    if (options.json) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`)
    else
      for (const { name, about, settings, available } of rows) {
        const more = [
          ...Object.entries(settings).map(([key, choices]) => `@${key}=${choices.join('|')}`),
          ...(available.ok ? [] : [`cannot run here: ${available.because}; ${available.remedy}`]),
        ]
        const width = Math.max(...rows.map((row) => row.name.length)) + 2
        const lines = [about, ...more].join(`\n${' '.repeat(width)}`)
        process.stdout.write(`${name.padEnd(width)}${lines}\n`)
      }
    return 'ok'
  },
})
