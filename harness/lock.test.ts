import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { takeLock } from './lock.ts'
import { self } from './owner.ts'
import { Scope } from './scope.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dpb-lock-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

it('refuses a second run, and ends with its scope', async () => {
  const file = join(folder, 'lock')
  const scope = new Scope('first')
  takeLock('first', scope, file)
  expect(() => takeLock('second', new Scope('second'), file)).toThrow(`run first (pid ${process.pid})`)
  await scope.close()
  expect(existsSync(file)).toBe(false)
})

it.each([
  ['a reused pid', JSON.stringify({ run: 'dead', ...self(), startTicks: '1' })],
  ['another boot', JSON.stringify({ run: 'dead', ...self(), bootId: 'other' })],
  ['a cut file', '{"run":"de'],
])('takes over from %s', async (_, text) => {
  const file = join(folder, 'lock')
  writeFileSync(file, text)
  const scope = new Scope('next')
  expect(() => takeLock('next', scope, file)).not.toThrow()
  await scope.close()
})
