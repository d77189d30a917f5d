/** `npm test`: everything CI looks at, every part run even if one fails, and one sum at the end. */
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { testArguments } from './arguments.mjs'
import { say } from './messages.mjs'
import { cargoCounts, summed, vitestCounts } from './test-counts.mjs'
import { cache, nativeFolder, root } from './versions.mjs'

/** @typedef {import('./test-counts.mjs').Counts} Counts */

/** vitest's own summary, and ours for .ci/run. */
const vitestJson = join(cache, 'vitest.json')
const summaryFile = join(cache, 'test-summary')

/** @param {string} name */
const bin = (name) => join(root, 'node_modules', '.bin', name)

/**
 * @param {readonly string[]} argv
 * @param {string} cwd
 * @returns {Promise<{ ok: boolean, output: string }>}
 */
function show(argv, cwd) {
  const [command, ...args] = /** @type {[string, ...string[]]} */ (argv)
  const child = spawn(command, args, { cwd, stdio: ['inherit', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (/** @type {Buffer} */ chunk) => {
    output += chunk
    process.stdout.write(chunk)
  })
  return new Promise((resolve) => {
    child.once('error', (cause) => resolve({ ok: false, output: cause.message }))
    child.once('close', (code) => resolve({ ok: code === 0, output }))
  })
}

/**
 * @typedef {{ name: string, argv: string[], cwd?: string, counts?: (output: string) => Counts }} Part
 * @param {boolean} unit
 * @param {readonly string[]} more further arguments for vitest, e.g. a path
 * @returns {Part[]}
 */
function parts(unit, more) {
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${vitestJson}`]
  const project = unit ? ['--project', 'unit'] : []
  const vitest = {
    name: 'tests',
    argv: [bin('vitest'), 'run', ...project, ...reporters, ...more],
    counts: () => vitestCounts(readFileSync(vitestJson, 'utf8')),
  }
  const style = [
    { name: 'style', argv: [bin('biome'), 'check', '.'] },
    { name: 'types', argv: [bin('tsc'), '--noEmit'] },
  ]
  if (unit) return [...style, vitest]
  const generated = {
    name: 'generated files',
    argv: [process.execPath, '--import', 'tsx', 'harness/cli.ts', 'gen', '--check'],
  }
  const clippy = ['cargo', 'clippy', '--release', '--locked', '--all-targets', '--', '-D', 'warnings']
  return [
    ...style,
    generated,
    { name: 'native style', argv: ['cargo', 'fmt', '--check'], cwd: nativeFolder },
    { name: 'native lints', argv: clippy, cwd: nativeFolder },
    { name: 'native tests', argv: ['cargo', 'test', '--release', '--locked'], cwd: nativeFolder, counts: cargoCounts },
    vitest,
  ]
}

/** @param {Part} part */
async function runPart(part) {
  say(part.name)
  const { ok, output } = await show(part.argv, part.cwd ?? root)
  const none = { passed: 0, failed: 0 }
  let counts = none
  try {
    counts = part.counts?.(output) ?? none
  } catch {
    // no summary was written: it fell over before the first test, which counts below
  }
  // a part that fails without a failed test (a lint, a crash) is one failure
  return { ok, counts: ok || counts.failed > 0 ? counts : { ...counts, failed: 1 } }
}

const { unit, more } = testArguments(process.argv.slice(2))
mkdirSync(cache, { recursive: true })
rmSync(vitestJson, { force: true })
rmSync(summaryFile, { force: true })
const results = []
for (const part of parts(unit, more)) results.push({ name: part.name, ...(await runPart(part)) })
const failed = results.filter((result) => !result.ok).map((result) => result.name)
const line = summed(results.map((result) => result.counts))
writeFileSync(summaryFile, `${line}\n`)
say(failed.length ? `failed: ${failed.join(', ')}` : 'all parts passed')
process.stdout.write(`${line}\n`)
process.exitCode = failed.length ? 1 : 0
