/**
 * CPU accounting by control group: v1 `cpuacct` where it is mounted, else a v2 sub-tree (its cpu.stat needs no
 * controller), else none. Only groups below `dpb/<run>` are ever made, and each is removed with its visit.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { prefix } from './names.ts'

export type Accounting = 'cgroup-v1' | 'cgroup-v2' | 'proc'

export interface Hierarchy {
  readonly kind: Accounting
  readonly root: string
}

/** Mount point of a hierarchy from /proc/mounts: `type` is cgroup or cgroup2. */
function mountOf(mounts: string, type: string, option?: string): string | undefined {
  const line = mounts.split('\n').find((candidate) => {
    const [, , fsType, options = ''] = candidate.split(' ')
    return fsType === type && (!option || options.split(',').includes(option))
  })
  return line?.split(' ')[1]
}

/** Chooses the hierarchy by trying to make a group in it. */
export function findHierarchy(mounts = readFileSync('/proc/mounts', 'utf8')): Hierarchy {
  const candidates: Hierarchy[] = []
  const v1 = mountOf(mounts, 'cgroup', 'cpuacct')
  const v2 = mountOf(mounts, 'cgroup2')
  if (v1) candidates.push({ kind: 'cgroup-v1', root: v1 })
  if (v2) candidates.push({ kind: 'cgroup-v2', root: v2 })
  for (const candidate of candidates) {
    try {
      mkdirSync(join(candidate.root, prefix), { recursive: true })
      return candidate
    } catch {
      // read-only or not ours to write: try the next
    }
  }
  return { kind: 'proc', root: '' }
}

export class ControlGroup {
  readonly path: string
  readonly kind: 'cgroup-v1' | 'cgroup-v2'

  constructor(kind: 'cgroup-v1' | 'cgroup-v2', path: string) {
    this.kind = kind
    this.path = path
    mkdirSync(path, { recursive: true })
  }

  /** A process writes its pid here before it becomes the program, so nothing is missed. */
  get procsFile(): string {
    return join(this.path, 'cgroup.procs')
  }

  /** Processes in the group, descendants included. */
  pids(): number[] {
    return readFileSync(this.procsFile, 'utf8').split('\n').filter(Boolean).map(Number)
  }

  cpuSeconds(): number {
    if (this.kind === 'cgroup-v1') return Number(readFileSync(join(this.path, 'cpuacct.usage'), 'utf8')) / 1e9
    const usage = /^usage_usec (\d+)$/m.exec(readFileSync(join(this.path, 'cpu.stat'), 'utf8'))?.[1]
    return Number(usage) / 1e6
  }
}

/** A killed process leaves its group a moment after it has left /proc; no event tells when, so it is tried again. */
async function removeGroup(folder: string): Promise<void> {
  const deadline = Date.now() + 5000
  for (;;) {
    try {
      return rmdirSync(folder)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EBUSY' || Date.now() > deadline) throw cause
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

async function removeTree(folder: string): Promise<void> {
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) await removeTree(join(folder, entry.name))
  await removeGroup(folder)
}

/** Folder of a run's groups in a hierarchy. */
export const groupRoot = (hierarchy: Hierarchy, runId: string): string => join(hierarchy.root, prefix, runId)

/** Removes a run's groups, innermost first, and the project's own folder with the last run. Says whether there were any. */
export async function removeGroups(hierarchy: Hierarchy, runId: string): Promise<boolean> {
  const root = groupRoot(hierarchy, runId)
  const found = hierarchy.kind !== 'proc' && existsSync(root)
  if (found) await removeTree(root)
  const shared = join(hierarchy.root, prefix)
  if (
    hierarchy.kind !== 'proc' &&
    existsSync(shared) &&
    !readdirSync(shared, { withFileTypes: true }).some((e) => e.isDirectory())
  )
    rmdirSync(shared)
  return found
}
