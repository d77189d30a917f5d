/** The project's own driver, native/load: open and closed loop, HTTP and raw TCP, one thread, JSON lines. */
import type { Cell, Firing, Path, PlannedShot } from '../../harness/contracts.ts'
import { defineDriver } from '../../harness/define.ts'
import { BenchError } from '../../harness/errors.ts'
import { nativeTool } from '../../harness/native.ts'
import { died, runTool } from './parts/child-run.ts'
import { firingOf, parseEvent } from './parts/native-events.ts'

/** `stream` is two tests of the tool, one for each direction. */
const testOf = (cell: Cell): string => (cell.test === 'stream' ? `stream-${cell.direction}` : cell.test)

/** Command line of native/PROTOCOL.md for one shot. */
export function argumentsFor(
  { target, client }: { readonly target: Path['target']; readonly client: { readonly spinUs?: number } },
  shot: Pick<PlannedShot, 'cell' | 'seed'>,
): readonly string[] {
  const { cell } = shot
  const flags: readonly (readonly [string, string | number | null])[] = [
    ['--target', target.host],
    ['--http-port', target.httpPort],
    ['--tcp-port', target.tcpPort],
    ['--test', testOf(cell)],
    ['--protocol', cell.protocol],
    ['--rate', cell.loop === 'open' ? cell.ratePerSecond : null],
    ['--connections', cell.connections],
    ['--payload', cell.payloadBytes],
    ['--warmup', cell.warmupSeconds],
    ['--duration', cell.durationSeconds],
    ['--seed', shot.seed],
    ['--spin-us', client.spinUs ?? null],
  ]
  const given = flags.flatMap(([name, value]) => (value === null ? [] : [name, String(value)]))
  return cell.newConnections ? [...given, '--new-connections'] : given
}

export default defineDriver({
  name: 'native',
  about: 'own driver in Rust: open loop with planned send times, closed loop, HTTP/1.1 and raw TCP',
  async available() {
    try {
      nativeTool('load')
      return { ok: true }
    } catch (cause) {
      if (!(cause instanceof BenchError)) throw cause
      return { ok: false, because: cause.message, remedy: cause.remedy }
    }
  },
  supports(cell) {
    if (cell.loop === 'open' && cell.ratePerSecond === null)
      return { ok: false, because: 'an open loop needs a rate', remedy: 'give --rate or --load' }
    return { ok: true }
  },
  async fire(path, shot, hooks) {
    const argv = [nativeTool('load'), ...argumentsFor(path, shot)]
    let version = 'unknown'
    let firing: Firing | undefined
    let complaint: string | undefined
    const onLine = (line: string): void => {
      const event = parseEvent(line)
      if (event?.event === 'ready') version = event.version
      else if (event?.event === 'measuring') hooks.measuring()
      else if (event?.event === 'measured') hooks.measured()
      else if (event?.event === 'error') complaint = `${event.code}: ${event.message}`
      else if (event?.event === 'result') firing = firingOf(event, version)
    }
    try {
      await runTool(path.client, { driver: 'native', argv, onLine }, hooks)
    } catch (cause) {
      if (complaint && cause instanceof BenchError && cause.exit === 'failed')
        throw died('native', 'measured nothing', complaint)
      throw cause
    }
    if (!firing) throw died('native', 'ended without a result', complaint ?? '')
    return firing
  },
})
