/** Reads a run's folder back. A cut last line is dropped, and with it the shot it belonged to. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeFromCompressedBase64 } from 'hdr-histogram-js'
import { BenchError } from '../harness/errors.ts'
import { schemaVersion, type TableName, tables } from './columns.ts'
import { completeShots, onlyShots, type Tables } from './complete.ts'
import type { Manifest } from './manifest.ts'
import type { RunRecord } from './run-record.ts'
import { parseRows } from './table-text.ts'

const kinds = ['latency', 'service', 'lateness'] as const

export function readManifest(folder: string): Manifest {
  const file = join(folder, 'manifest.json')
  let manifest: Manifest
  try {
    manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest
  } catch (cause) {
    throw new BenchError('input', `${file} cannot be read`, 'name a folder of results/', { cause })
  }
  if (manifest.schemaVersion === schemaVersion) return manifest
  const what = `${file} has schema version ${manifest.schemaVersion}, this is ${schemaVersion}`
  throw new BenchError('input', what, 'use the version of datapath-bench that made it')
}

const readTable = <T extends TableName>(folder: string, table: T) => {
  const file = join(folder, tables[table].file)
  return parseRows(table, existsSync(file) ? readFileSync(file, 'utf8') : '')
}

/** Text of a histogram, or null if there is none or it was cut. */
function histogramText(folder: string, shot: string, kind: string): string | null {
  const file = join(folder, 'hist', `${shot}.${kind}.hdr`)
  if (!existsSync(file)) return null
  const text = readFileSync(file, 'utf8')
  return text.endsWith('\n') ? text.trimEnd() : null
}

/** The tables as they are, and which shots in them are complete. */
export function readTables(folder: string): { readonly all: Tables; readonly complete: Set<string> } {
  const all: Tables = {
    shots: readTable(folder, 'shots'),
    samples: readTable(folder, 'samples'),
    facts: readTable(folder, 'facts'),
    checks: readTable(folder, 'checks'),
    hops: readTable(folder, 'hops'),
  }
  const intact = (shot: string): boolean =>
    kinds.every((kind) => {
      if (!existsSync(join(folder, 'hist', `${shot}.${kind}.hdr`))) return true
      return histogramText(folder, shot, kind) !== null
    })
  return { all, complete: completeShots(all, intact) }
}

/** The record of a run, complete shots only. */
export async function readRecord(folder: string): Promise<RunRecord> {
  const manifest = readManifest(folder)
  const { all, complete } = readTables(folder)
  return {
    manifest,
    ...onlyShots(all, complete),
    histogram(shot, kind) {
      const text = histogramText(folder, shot, kind)
      return text === null ? null : decodeFromCompressedBase64(text)
    },
  }
}
