/** Takes up a run again: its manifest decides, incomplete shots are dropped, only missing ones are fired. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BenchError } from '../harness/errors.ts'
import { type TableName, tables } from './columns.ts'
import { onlyShots } from './complete.ts'
import type { Manifest } from './manifest.ts'
import { readManifest, readTables } from './read.ts'
import { type AnyRow, headerText, rowsText } from './table-text.ts'
import { replaceFile } from './write.ts'

export interface Resumed {
  readonly manifest: Manifest
  readonly complete: ReadonlySet<string>
}

/** Options that say where and how to print, not what to measure. */
const harmless = new Set(['resume', 'out', 'json', 'yes', 'keep', 'dryRun'])

/** Refuses options that would make the second half of a run another run than the first. */
export function refuseContradictions(
  manifest: Manifest,
  given: ReadonlySet<string>,
  options: Readonly<Record<string, unknown>>,
): void {
  for (const key of given) {
    if (harmless.has(key)) continue
    const [now, then] = [JSON.stringify(options[key]), JSON.stringify(manifest.options[key])]
    if (now === then) continue
    const what = `--${key} ${now} contradicts run ${manifest.run}, which has ${then ?? 'none'}`
    throw new BenchError('usage', what, 'resume without it, or begin a new run')
  }
}

/** Reads what is complete and rewrites the files without the rest. */
export async function resumeFolder(folder: string): Promise<Resumed> {
  const manifest = readManifest(folder)
  const { all, complete } = readTables(folder)
  const kept = onlyShots(all, complete)
  for (const table of Object.keys(tables) as TableName[]) {
    const file = join(folder, tables[table].file)
    const text = headerText(table) + rowsText(table, kept[table] as readonly AnyRow[])
    if (text !== readOr(file)) await replaceFile(file, text)
  }
  return { manifest, complete }
}

function readOr(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    writeFileSync(file, '')
    return ''
  }
}
