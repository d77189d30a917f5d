/** A step is done when the stamp it left equals the hash of its inputs, and what it makes is still there. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cache } from './versions.mjs'

/**
 * Hash over names and contents, so that a moved or an edited file both show.
 * @param {readonly string[]} files
 * @param {string} [salt] anything else that the result depends on
 */
export function hashOf(files, salt = '') {
  const hash = createHash('sha256').update(salt)
  for (const file of [...files].sort()) hash.update(`\0${file}\0`).update(readFileSync(file))
  return hash.digest('hex')
}

/**
 * Files below a folder whose name `wanted` accepts; build output and hidden folders are left out.
 * @param {string} folder
 * @param {(name: string) => boolean} wanted
 * @returns {string[]}
 */
export function filesBelow(folder, wanted) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name.startsWith('.') || entry.name === 'target') return []
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return filesBelow(path, wanted)
    return wanted(entry.name) ? [path] : []
  })
}

/** @param {string} name @param {string} folder */
const stampFile = (name, folder) => join(folder, 'stamps', name)

/**
 * @param {string} name
 * @param {string} hash
 * @param {readonly string[]} outputs
 * @param {string} [folder]
 */
export function isDone(name, hash, outputs, folder = cache) {
  const file = stampFile(name, folder)
  return existsSync(file) && readFileSync(file, 'utf8') === hash && outputs.every((output) => existsSync(output))
}

/**
 * Written whole or not at all: a step that was interrupted is done again.
 * @param {string} name
 * @param {string} hash
 * @param {string} [folder]
 */
export function markDone(name, hash, folder = cache) {
  const file = stampFile(name, folder)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(`${file}.${process.pid}`, hash)
  renameSync(`${file}.${process.pid}`, file)
}
