/** Finds a run by its id or its folder. */
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { BenchError } from '../harness/errors.ts'
import { didYouMean } from '../harness/nearest.ts'

/** Folder of a run: a path to it, or its id below `<out>/results`. */
export function findRun(out: string, run: string): string {
  const results = join(out, 'results')
  for (const folder of [resolve(run), join(results, run)]) if (existsSync(join(folder, 'manifest.json'))) return folder
  const runs = existsSync(results)
    ? readdirSync(results).filter((name) => existsSync(join(results, name, 'manifest.json')))
    : []
  throw new BenchError('input', `no run ${run} in ${results}`, didYouMean(run, runs))
}
