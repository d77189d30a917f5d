/** What every path on the local provider has in common, so that a mode says only what is its own. */
import type { Fact, Observation, Path, PathPicture, Traffic } from '../../harness/contracts.ts'
import type { LocalBed } from '../providers/local/bed.ts'
import { is } from './judge.ts'
import { echoProbe, observeAll, type Probe, segmentsProbe, wireProbe } from './probes.ts'

export interface LocalPathParts {
  readonly mode: string
  readonly proxy: string
  readonly versions: Readonly<Record<string, string>>
  readonly picture: PathPicture
  readonly probes: readonly Probe[]
  standing(now: Observation): readonly Fact[]
  travelled(before: Observation, after: Observation, traffic: Traffic): readonly Fact[]
}

/** The path, with the probes and facts of server and wire added. */
export function localPath(bed: LocalBed, parts: LocalPathParts): Path {
  const probes = [echoProbe(bed), wireProbe(bed), segmentsProbe(bed.stacks), ...parts.probes]
  return {
    ...parts,
    sandbox: 'none',
    versions: { ...bed.versions, ...parts.versions },
    target: bed.echo.target,
    client: bed.client,
    components: bed.components,
    stacks: bed.stacks,
    observe: () => observeAll(probes),
    standing: (now) => [...parts.standing(now), is('the server runs', now, 'echo.alive', 'yes')],
  }
}
