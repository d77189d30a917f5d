/** Writes the page of a run; a reader never sees half of it. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BenchError } from '../harness/errors.ts'
import type { RunRecord } from '../results/run-record.ts'
import { buildReport } from './build.ts'

/** Writes `<reportsDir>/<run-id>/index.html` and returns its path. */
export async function writeReport(record: RunRecord, reportsDir: string): Promise<string> {
  const text = await buildReport(record)
  const folder = join(reportsDir, record.manifest.run)
  const file = join(folder, 'index.html')
  const draft = `${file}.${process.pid}.tmp`
  try {
    await mkdir(folder, { recursive: true })
    await writeFile(draft, text)
    await rename(draft, file)
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => undefined)
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new BenchError(
      'output',
      `the report ${file} cannot be written: ${why}`,
      'free space or choose another --out',
      {
        cause,
      },
    )
  }
  return file
}
