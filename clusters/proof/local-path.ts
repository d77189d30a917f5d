/** What every path on the local provider has in common, so that a mode says only what is its own. */
import type { Fact, Observation, Path, PathPicture, Place, Sandboxed, Traffic } from '../../harness/contracts.ts'
import type { LocalBed } from '../providers/local/bed.ts'
import { is } from './judge.ts'
import { echoProbe, observeAll, type Probe, segmentsProbe, wireProbe } from './probes.ts'

export interface LocalPathParts {
  readonly mode: string
  readonly proxy: string
  readonly versions: Readonly<Record<string, string>>
  readonly picture: PathPicture
  /** Of modes with a sandbox; left out: none, and the driver is in the client pod. */
  readonly sandboxed?: { readonly sandbox: string; readonly ends: Sandboxed; readonly client: Place }
  readonly bypassed?: string
  readonly probes: readonly Probe[]
  standing(now: Observation): readonly Fact[]
  travelled(before: Observation, after: Observation, traffic: Traffic): readonly Fact[]
}

/** The path, with the probes and facts of server and wire added. */
export function localPath(bed: LocalBed, parts: LocalPathParts): Path {
  const { sandboxed, ...own } = parts
  const probes = [echoProbe(bed), wireProbe(bed), segmentsProbe(bed.stacks), ...parts.probes]
  return {
    ...own,
    sandbox: sandboxed?.sandbox ?? 'none',
    sandboxed: sandboxed?.ends ?? 'none',
    versions: { ...bed.versions, ...parts.versions },
    target: bed.echo.target,
    client: sandboxed?.client ?? bed.client,
    components: bed.components,
    stacks: bed.stacks,
    observe: () => observeAll(probes),
    standing: (now) => [...parts.standing(now), is('the server runs', now, 'echo.alive', 'yes')],
  }
}
