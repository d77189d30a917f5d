/** `npm run clean`: removes what dead runs left on this machine, and nothing else. */
import { defineCommand } from '../command.ts'
import { BenchError } from '../errors.ts'

export default defineCommand({
  name: 'clean',
  about: 'removes what dead runs left on this machine',
  options: {},
  async run() {
    if (process.getuid?.() !== 0)
      throw new BenchError('missing', 'what runs leave behind belongs to root', 'run as root, e.g. sudo npm run clean')
    const { providers } = await import('../../clusters/providers/index.ts')
    const log = { step() {}, detail() {} }
    const removed = (await Promise.all(providers.map((provider) => provider.clean(log)))).flat()
    for (const line of removed) process.stdout.write(`removed ${line}\n`)
    if (removed.length === 0) process.stdout.write('nothing was left behind\n')
    return 'ok'
  },
})
