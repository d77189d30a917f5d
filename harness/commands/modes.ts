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
      modes.map(async ({ name, about, runsOn, comparedWith, available }) => {
        const provider = runsOn[0] ?? 'local'
        return { name, about, runsOn, comparedWith, provider, available: await available(provider) }
      }),
    )
    if (options.json) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`)
    else
      for (const { name, about, available } of rows) {
        const answer = available.ok
          ? ''
          : `\n${' '.repeat(12)}cannot run here: ${available.because}; ${available.remedy}`
        process.stdout.write(`${name.padEnd(12)}${about}${answer}\n`)
      }
    return 'ok'
  },
})
