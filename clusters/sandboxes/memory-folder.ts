/**
 * Where a guest's memory is kept: on a tmpfs from which programs may run, since a User Mode Linux guest runs the pages of
 * its memory file, and itself may lie where its user cannot reach it. /run often forbids that; then it is /dev/shm or /tmp.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { stateRoot } from '../providers/local/names.ts'

/** Roots of the project's folders for memory, best first; `npm run clean` looks into the same. */
export const memoryRoots: readonly string[] = [stateRoot, '/dev/shm/datapath-bench', '/tmp/datapath-bench']

/** Mount options of the file system that holds a path: the longest mount point that contains it (proc_mounts(5)). */
export function mountOptions(mounts: string, path: string): readonly string[] {
  const holds = (point: string): boolean => path === point || path.startsWith(point === '/' ? '/' : `${point}/`)
  const found = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, point = '']) => point !== '' && holds(point))
    .toSorted((a, b) => (a[1]?.length ?? 0) - (b[1]?.length ?? 0))
    .at(-1)
  return found?.[3]?.split(',') ?? []
}

/** Folder for the memory of the sandbox that lives in `folder` (below the state of its run). */
export function memoryFolder(folder: string, mounts = readFileSync('/proc/mounts', 'utf8')): string {
  const root = memoryRoots.find((candidate) => !mountOptions(mounts, candidate).includes('noexec')) ?? stateRoot
  return join(root, folder.slice(stateRoot.length), 'memory')
}
