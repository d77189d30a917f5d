/** Where the native tools are: built by setup into native/target/release, spoken to as in native/PROTOCOL.md. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { BenchError } from './errors.ts'

export type NativeTool = 'load' | 'echo' | 'wiretap' | 'vsock-tsi' | 'tunnel' | 'fused' | 'tsi' | 'agent'

/** Path of a native tool; throws BenchError `missing` when it has not been built. */
export function nativeTool(tool: NativeTool): string {
  const path = fileURLToPath(new URL(`../native/target/release/dpb-${tool}`, import.meta.url))
  if (!existsSync(path))
    throw new BenchError('missing', `native tool dpb-${tool} is not built`, 'start through npm run bench')
  return path
}
