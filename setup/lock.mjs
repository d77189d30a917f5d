/** One set-up at a time: a file made exclusively that names its owner; a dead owner's file is taken over. */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { say } from './messages.mjs'

/**
 * Process id and start time (field 22 of /proc/PID/stat), so that a reused id cannot stand in for the owner.
 * @param {string | number} pid
 */
function ownerOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`
  } catch {
    return undefined
  }
}

/** @param {string} file */
function tryTake(file) {
  try {
    const handle = openSync(file, 'wx')
    writeSync(handle, ownerOf(process.pid) ?? String(process.pid))
    closeSync(handle)
    return true
  } catch (cause) {
    if (/** @type {NodeJS.ErrnoException} */ (cause).code === 'EEXIST') return false
    throw cause
  }
}

/** @param {string} file */
function dropIfDead(file) {
  const owner = existsSync(file) ? readFileSync(file, 'utf8') : ''
  if (owner === '' || ownerOf(owner.split(' ')[0] ?? '') === owner) return
  const aside = `${file}.dead.${process.pid}`
  try {
    renameSync(file, aside)
    rmSync(aside)
  } catch {
    // another start was faster
  }
}

/**
 * Runs `work` while holding the lock; waits for another start that holds it.
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 */
export async function withLock(file, work) {
  mkdirSync(dirname(file), { recursive: true })
  let told = false
  while (!tryTake(file)) {
    dropIfDead(file)
    if (!told && existsSync(file)) say('another start is setting up; waiting for it')
    told = true
    await pause(100)
  }
  try {
    return await work()
  } finally {
    rmSync(file, { force: true })
  }
}
