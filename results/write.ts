/**
 * Writes a run's folder. After each shot everything is on the disk: first histograms and the other tables, then the
 * shot's own rows in one append; only a shot whose last row (`record_rows`) is there counts as complete.
 */
import { type FileHandle, mkdir, open, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BenchError } from '../harness/errors.ts'
import { type TableName, tables } from './columns.ts'
import type { Manifest } from './manifest.ts'
import { type ShotOutcome, shotRows } from './shot-rows.ts'
import { headerText, rowsText } from './table-text.ts'

const order: readonly TableName[] = ['samples', 'facts', 'checks', 'hops', 'shots']

/** Turns what the disk says into one line. */
export function outputError(folder: string, cause: unknown): BenchError {
  const code = (cause as NodeJS.ErrnoException).code
  const why = code === 'ENOSPC' ? 'the disk is full' : cause instanceof Error ? cause.message : String(cause)
  const remedy = `finished shots are kept; make room, then npm run bench -- --resume ${folder}`
  return new BenchError('output', `cannot write ${folder}: ${why}`, remedy, { cause })
}

/** Replaces a file as a whole: a reader sees the old or the new one. */
export async function replaceFile(file: string, text: string): Promise<void> {
  const draft = `${file}.${process.pid}.tmp`
  const handle = await open(draft, 'w')
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, file)
}

export class RunWriter {
  readonly folder: string
  readonly #run: string
  readonly #files: ReadonlyMap<TableName, FileHandle>

  private constructor(folder: string, run: string, files: ReadonlyMap<TableName, FileHandle>) {
    this.folder = folder
    this.#run = run
    this.#files = files
  }

  /** Opens `folder` for appending and begins the files that are not there yet. */
  static async open(folder: string, run: string): Promise<RunWriter> {
    try {
      await mkdir(join(folder, 'hist'), { recursive: true })
      const files = new Map<TableName, FileHandle>()
      for (const table of order) {
        const handle = await open(join(folder, tables[table].file), 'a')
        files.set(table, handle)
        if ((await handle.stat()).size === 0) await handle.appendFile(headerText(table))
      }
      return new RunWriter(folder, run, files)
    } catch (cause) {
      throw outputError(folder, cause)
    }
  }

  async shot(outcome: ShotOutcome): Promise<void> {
    try {
      for (const [kind, text] of Object.entries(outcome.histograms))
        await this.#histogram(`${outcome.planned.id}.${kind}.hdr`, text)
      const rows = shotRows(this.#run, outcome)
      for (const table of order) await this.#append(table, rowsText(table, rows[table]))
    } catch (cause) {
      throw outputError(this.folder, cause)
    }
  }

  async manifest(manifest: Manifest): Promise<void> {
    try {
      await replaceFile(join(this.folder, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
    } catch (cause) {
      throw outputError(this.folder, cause)
    }
  }

  async close(): Promise<void> {
    for (const handle of this.#files.values()) await handle.close()
  }

  /** Ends with a line end: a histogram that was cut is told by its absence. */
  async #histogram(name: string, text: string): Promise<void> {
    await writeFile(join(this.folder, 'hist', name), `${text}\n`, { flush: true })
  }

  async #append(table: TableName, text: string): Promise<void> {
    const handle = this.#files.get(table)
    if (!handle || text === '') return
    await handle.appendFile(text)
    await handle.sync()
  }
}

/** Whether a folder already holds a run. */
export const holdsRun = (folder: string): Promise<boolean> =>
  stat(join(folder, 'manifest.json')).then(
    () => true,
    () => false,
  )
