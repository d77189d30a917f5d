/** Whether Envoy can run here: tried by asking the binary for its version. */
import { existsSync } from 'node:fs'
import type { Availability } from '../../harness/contracts.ts'
import { sh } from '../../harness/shell.ts'
import { envoyBinary, envoyVersion } from './envoy.ts'

let answer: Promise<Availability> | undefined

async function ask(): Promise<Availability> {
  try {
    const version = await sh([envoyBinary, '--version'])
    if (version.includes(`/${envoyVersion}/`)) return { ok: true }
    return {
      ok: false,
      because: `Envoy is not ${envoyVersion}: ${version.trim()}`,
      remedy: 'remove .cache/envoy and start again',
    }
  } catch {
    return existsSync(envoyBinary)
      ? {
          ok: false,
          because: 'Envoy does not run on this machine',
          remedy: `look at what ${envoyBinary} --version says`,
        }
      : { ok: false, because: 'Envoy is not installed yet', remedy: 'npm run bench and npm run doctor install it' }
  }
}

/** Asked once per process. */
export function envoyAvailable(): Promise<Availability> {
  answer ??= ask()
  return answer
}
