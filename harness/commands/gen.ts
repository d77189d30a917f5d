/** `npm run gen`: registries and pages from code; `--check` says whether they are stale. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { defineCommand } from '../command.ts'
import { BenchError } from '../errors.ts'
import { registryFiles, root } from '../generate.ts'
import { flag } from '../options.ts'

type File = { readonly file: string; readonly text: string }

async function isStale({ file, text }: File): Promise<boolean> {
  return (await readFile(join(root, file), 'utf8').catch(() => '')) !== text
}

async function write({ file, text }: File): Promise<void> {
  await mkdir(dirname(join(root, file)), { recursive: true })
  await writeFile(join(root, file), text)
  process.stdout.write(`wrote ${file}\n`)
}

export default defineCommand({
  name: 'gen',
  about: 'writes the registries and the pages of docs/ that come from code',
  options: { check: flag('only say what is stale; exit code 3 if something is') },
  async run({ options }) {
    const stale: File[] = []
    const look = async (files: readonly File[]): Promise<void> => {
      for (const file of files) {
        if (!(await isStale(file))) continue
        stale.push(file)
        if (!options.check) await write(file)
      }
    }
    await look(registryFiles())
    const { allPages } = await import('../docs.ts')
    await look(await allPages())
    if (options.check && stale.length > 0)
      throw new BenchError('failed', `stale: ${stale.map(({ file }) => file).join(', ')}`, 'npm run gen')
    return 'ok'
  },
})
