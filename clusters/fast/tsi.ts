/** TSI inside a guest: programs run so that their TCP sockets are vsock (native/tsi). */
import type { Place, SpawnSpec } from '../../harness/contracts.ts'
import { nativeLibrary, nativeTool } from '../../harness/native.ts'

/** How a program's sockets are moved: by a supervisor of its system calls, or by a library loaded before it. */
export const tsiWays = ['supervisor', 'preload'] as const
export type TsiWay = (typeof tsiWays)[number]

/** The guest as a place whose programs have their TCP moved; everything else of it stays. */
export function throughTsi(guest: Place, way: TsiWay): Place {
  const supervised = (argv: readonly string[]): string[] => [nativeTool('tsi'), '--', ...argv]
  const preload = { LD_PRELOAD: nativeLibrary('tsi') }
  return {
    name: guest.name,
    ...(guest.spinUs === undefined ? {} : { spinUs: guest.spinUs }),
    // the library as an argument of its own: only whole arguments are brought into the guest
    run: (argv, input) =>
      guest.run(
        way === 'supervisor'
          ? supervised(argv)
          : ['sh', '-c', 'LD_PRELOAD="$0" exec "$@"', preload.LD_PRELOAD, ...argv],
        input,
      ),
    spawn: (spec: SpawnSpec) =>
      guest.spawn(
        way === 'supervisor' ? { ...spec, argv: supervised(spec.argv) } : { ...spec, env: { ...spec.env, ...preload } },
      ),
  }
}
