/** One measuring run per machine. The lock names its owner; a dead owner's lock is taken over. */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { BenchError } from './errors.ts'
import { isAlive, type Owner, self } from './owner.ts'
import type { Scope } from './scope.ts'

export const lockFile = '/run/datapath-bench/lock'

interface Lock extends Owner {
  readonly run: string
}

function readLock(file: string): Lock | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Lock
  } catch {
    return undefined // gone, or cut by a crash: nobody's
  }
}

function tryTake(file: string, lock: Lock): boolean {
  const draft = `${file}.${process.pid}.new`
  try {
    // written first, then linked: nobody sees a lock without an owner
    writeFileSync(draft, JSON.stringify(lock))
    linkSync(draft, file)
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new BenchError('missing', `cannot lock ${file}: ${why}`, 'run as root, e.g. sudo npm run bench', { cause })
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Takes the lock until `scope` ends; throws BenchError `busy` naming the run that has it. */
export function takeLock(run: string, scope: Scope, file = lockFile): void {
  mkdirSync(dirname(file), { recursive: true })
  const lock: Lock = { run, ...self() }
  for (let tries = 0; tries < 3; tries++) {
    if (tryTake(file, lock)) {
      scope.defer('lock', () => rmSync(file, { force: true }))
      return
    }
    const owner = readLock(file)
    if (owner && isAlive(owner))
      throw new BenchError(
        'busy',
        `run ${owner.run} (pid ${owner.pid}) is measuring on this machine`,
        'wait for its end',
      )
    // renaming is atomic: of two that find the same dead owner, one moves it away
    const aside = `${file}.${process.pid}`
    try {
      renameSync(file, aside)
    } catch {
      continue
    }
    rmSync(aside, { force: true })
  }
  throw new BenchError('busy', `${file} is being taken by others`, 'try again')
}
