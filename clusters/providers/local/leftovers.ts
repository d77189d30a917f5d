/**
 * What a dead run left behind: processes in its namespaces, the namespaces, its control groups and its state. A run is
 * known by its folder below /run/datapath-bench, whose owner file names a process that is still alive, or not.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { isAlive, type Owner, self } from '../../../harness/owner.ts'
import { sh } from '../../../harness/shell.ts'
import { findHierarchy, type Hierarchy, removeGroups } from './control-groups.ts'
import { netnsPath, netnsRoot, prefix, sandboxUid, stateDir, stateRoot } from './names.ts'

/** Marks a run's state as this process's own. */
export function claimState(runId: string): void {
  mkdirSync(stateDir(runId), { recursive: true, mode: 0o711 })
  writeFileSync(join(stateDir(runId), 'owner.json'), JSON.stringify(self()))
}

function ownerLives(runId: string): boolean {
  try {
    return isAlive(JSON.parse(readFileSync(join(stateDir(runId), 'owner.json'), 'utf8')) as Owner)
  } catch {
    return false // no owner file, or cut: whoever made it died at once
  }
}

const entries = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : [])

/** Run ids found on the machine, by state folder, namespace or control group. */
function knownRuns(groups: string): Set<string> {
  const fromNamespaces = entries(netnsRoot).flatMap(
    (name) => new RegExp(`^${prefix}-(.+)-[a-z0-9]+$`).exec(name)?.[1] ?? [],
  )
  const isDir = (root: string, name: string): boolean => statSync(join(root, name)).isDirectory()
  return new Set([
    ...fromNamespaces,
    ...entries(stateRoot).filter((name) => isDir(stateRoot, name)),
    ...entries(groups).filter((name) => isDir(groups, name)),
  ])
}

/** Processes whose network namespace is one of the named ones. */
function processesIn(namespaces: readonly string[]): number[] {
  const inodes = new Set(namespaces.map((name) => `net:[${statSync(netnsPath(name)).ino}]`))
  return readdirSync('/proc')
    .filter((name) => {
      try {
        return /^\d+$/.test(name) && inodes.has(readlinkSync(`/proc/${name}/ns/net`))
      } catch {
        return false // it ended while we looked
      }
    })
    .map(Number)
}

/** A sandbox's processes that name the run's folder: one that was booted on trial is in no named namespace. */
function sandboxesOf(runId: string): number[] {
  return readdirSync('/proc')
    .filter((name) => {
      try {
        return (
          /^\d+$/.test(name) &&
          statSync(`/proc/${name}`).uid === sandboxUid &&
          readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(`${stateDir(runId)}/`)
        )
      } catch {
        return false // it ended while we looked
      }
    })
    .map(Number)
}

async function ended(pids: readonly number[]): Promise<void> {
  const deadline = Date.now() + 5000
  while (pids.some((pid) => existsSync(`/proc/${pid}/ns/net`)) && Date.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 5)) // no event tells the end of another's child
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it ended by itself meanwhile
  }
}

async function removeRun(runId: string, hierarchy: Hierarchy): Promise<string[]> {
  const removed: string[] = []
  const namespaces = entries(netnsRoot).filter((name) => name.startsWith(`${prefix}-${runId}-`))
  const pids = [...new Set([...processesIn(namespaces), ...sandboxesOf(runId)])].filter((pid) => pid !== process.pid)
  for (const pid of pids) killIfAlive(pid)
  await ended(pids)
  if (pids.length > 0) removed.push(`${pids.length} processes of run ${runId}`)
  for (const name of namespaces) {
    await sh(['ip', 'netns', 'delete', name])
    removed.push(`namespace ${name}`)
  }
  if (await removeGroups(hierarchy, runId)) removed.push(`control groups of run ${runId}`)
  if (existsSync(stateDir(runId))) {
    rmSync(stateDir(runId), { recursive: true, force: true })
    removed.push(`state of run ${runId}`)
  }
  return removed
}

/** Removes everything of runs whose owner is dead; never touches a live run's, or what has another name. */
export async function cleanLeftovers(): Promise<string[]> {
  const hierarchy = findHierarchy()
  const removed: string[] = []
  for (const runId of knownRuns(hierarchy.kind === 'proc' ? '' : join(hierarchy.root, prefix))) {
    if (ownerLives(runId)) continue
    removed.push(...(await removeRun(runId, hierarchy)))
  }
  return removed
}
