/**
 * Where a sandbox lives on the host: a folder of the run with its sockets and what the guest may see of the project. The
 * sandbox runs as an ordinary user who may be unable to read the project, so what it needs is copied here.
 */
import { accessSync, chmodSync, chownSync, constants, copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Scope } from '../../harness/scope.ts'
import { nativeFolder } from '../../setup/versions.mjs'
import { sandboxUid } from '../providers/local/names.ts'

export interface Dwelling {
  /** Sockets and configuration: the host's. */
  readonly folder: string
  /** Seen by the guest at the same path; only `scratch` in it can be written. */
  readonly share: string
  readonly scratch: string
  /** Empty; each sandbox mounts memory of its own here (`private-mounts.ts`). */
  readonly memory: string
  /** Path inside the guest of a file of the host, which is copied if it lies in the project. */
  bring(file: string): string
}

const buildFolder = join(nativeFolder, 'target')

function copied(file: string, folder: string): string {
  const copy = join(folder, basename(file))
  if (existsSync(copy)) return copy
  copyFileSync(file, copy)
  chmodSync(copy, 0o755)
  return copy
}

function readable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK)
    return true
  } catch {
    return false
  }
}

/** Makes the folders; they go with the scope. */
export function layDwelling(folder: string, scope: Scope): Dwelling {
  const share = join(folder, 'share')
  const [scratch, programs, memory] = [join(share, 'scratch'), join(share, 'programs'), join(folder, 'memory')]
  mkdirSync(folder, { recursive: true, mode: 0o711 })
  for (const made of [share, programs, memory]) mkdirSync(made, { mode: 0o755 })
  mkdirSync(scratch, { mode: 0o700 })
  chownSync(scratch, sandboxUid, sandboxUid)
  scope.defer(`folder ${folder}`, () => rmSync(folder, { recursive: true, force: true }))
  return {
    folder,
    share,
    scratch,
    memory,
    bring: (file) => (file.startsWith(buildFolder) && readable(file) ? copied(file, programs) : file),
  }
}
