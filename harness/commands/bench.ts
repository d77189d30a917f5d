/** `npm run bench`: the main job. */
import { defineCommand } from '../command.ts'
import { benchOptions } from '../options.ts'

export default defineCommand({
  name: 'bench',
  about: 'measures what each datapath costs on this machine, and writes a report that proves which way traffic went',
  options: benchOptions,
  async run(input) {
    const { bench } = await import('../bench.ts')
    return bench(input)
  },
})
