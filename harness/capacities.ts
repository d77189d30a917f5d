/** What block 0 tells of each mode's capacity. A noisy host can only make a mode look weaker, never stronger. Pure. */

/** One search shot. */
export interface Searched {
  readonly mode: string
  /** Name of its cell: capacities of different connections or payloads are not compared. */
  readonly form: string
  readonly perSecond: number
  /** Whether the shot was valid; else the host disturbed it. */
  readonly sound: boolean
}

/** By shot id. */
export type Capacities = Map<string, Searched>

const key = ({ mode, form }: Pick<Searched, 'mode' | 'form'>): string => `${mode} ${form}`

/** The figure that stands for each mode and form: the best valid one, or else the best there is. */
function best(found: Iterable<Searched>): Map<string, Searched> {
  const kept = new Map<string, Searched>()
  for (const next of found) {
    const known = kept.get(key(next))
    const better = known === undefined || (next.sound === known.sound ? next.perSecond > known.perSecond : next.sound)
    if (better) kept.set(key(next), next)
  }
  return kept
}

/** The weakest mode, whose capacity the rates are a share of. */
export function weakest(found: Iterable<Searched>): Searched | undefined {
  return [...best(found).values()].sort((a, b) => a.perSecond - b.perSecond)[0]
}

/** Whether a mode and form was measured, but only while the host disturbed it: worth another look. */
export function isDisturbed(found: Iterable<Searched>, of: Pick<Searched, 'mode' | 'form'>): boolean {
  return best(found).get(key(of))?.sound === false
}
