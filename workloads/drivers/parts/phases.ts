/** Tools without a warm-up of their own run twice: once unmeasured, once for the window. */
import type { Cell, FireHooks, Path } from '../../../harness/contracts.ts'
import { runTool } from './child-run.ts'

/** Standard output of the measured run. `argvFor` gets whole seconds: neither tool knows less. */
export async function warmThenMeasure(
  driver: string,
  client: Path['client'],
  cell: Cell,
  hooks: FireHooks,
  argvFor: (seconds: number) => readonly string[],
): Promise<string> {
  if (cell.warmupSeconds > 0) await runTool(client, { driver, argv: argvFor(Math.ceil(cell.warmupSeconds)) }, hooks)
  hooks.measuring()
  const output = await runTool(client, { driver, argv: argvFor(Math.max(1, Math.ceil(cell.durationSeconds))) }, hooks)
  hooks.measured()
  return output
}
