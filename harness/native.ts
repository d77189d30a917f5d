/** Where the native tools are: built by setup into native/target/release, spoken to as in native/PROTOCOL.md. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { BenchError } from './errors.ts'

export type NativeTool = 'load' | 'echo' | 'wiretap' | 'vsock-tsi' | 'tunnel' | 'fused' | 'tsi' | 'agent'

const built = (file: string): string => {
  const path = fileURLToPath(new URL(`../native/target/release/${file}`, import.meta.url))
  if (!existsSync(path)) throw new BenchError('missing', `native ${file} is not built`, 'start through npm run bench')
  return path
}

/** Path of a native tool; throws BenchError `missing` when it has not been built. */
export const nativeTool = (tool: NativeTool): string => built(`dpb-${tool}`)

/** Path of a library that is loaded before a program; throws as `nativeTool`. */
export const nativeLibrary = (name: 'tsi'): string => built(`libdpb_${name}.so`)
