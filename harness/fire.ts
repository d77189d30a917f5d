/** One firing: the driver with collectors over exactly its measured window, and a deadline. */
import type { Collector, Driver, Firing, Path, PlannedShot, Sample } from './contracts.ts'
import { BenchError } from './errors.ts'

export interface Fired {
  readonly firing: Firing
  readonly samples: readonly Sample[]
}

/** Beyond its planned time, a driver gets this long to open connections and to bring its result, ms. */
const graceMs = 15_000

/** Fires; throws what the driver threw, or BenchError `failed` when the driver hangs. */
export async function fire(
  driver: Driver,
  collectors: readonly Collector[],
  path: Path,
  shot: PlannedShot,
  signal: AbortSignal,
): Promise<Fired> {
  const { warmupSeconds, durationSeconds } = shot.cell
  const deadline = AbortSignal.timeout((warmupSeconds + durationSeconds) * 1000 + graceMs)
  const collecting = await Promise.all(collectors.map((collector) => collector.start(path)))
  let window: Promise<unknown> | undefined
  let samples: Promise<readonly Sample[]> | undefined
  const hooks = {
    signal: AbortSignal.any([signal, deadline]),
    measuring: () => {
      window = Promise.all(collecting.map((each) => each.window()))
      window.catch(() => {}) // told when the samples are awaited
    },
    measured: () => {
      samples = Promise.resolve(window).then(async () =>
        (await Promise.all(collecting.map((each) => each.stop()))).flat(),
      )
      samples.catch(() => {})
    },
  }
  try {
    const firing = await driver.fire(path, shot, hooks)
    if (!samples) throw new BenchError('failed', `driver ${driver.name} never said that it measured`, '')
    return { firing, samples: await samples }
  } catch (cause) {
    if (deadline.aborted && !signal.aborted)
      throw new BenchError('failed', `driver ${driver.name} did not end in time`, '', { cause })
    throw cause
  }
}
