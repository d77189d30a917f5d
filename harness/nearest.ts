/** The valid name nearest to a mistyped one. */

/** Levenshtein distance: the fewest insertions, deletions and replacements. */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

/** The nearest of `names`; undefined if there is none. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  return [...names].sort((a, b) => distance(name, a) - distance(name, b))[0]
}

/** «did you mean X?», naming all when there are few. */
export function didYouMean(name: string, names: readonly string[]): string {
  const best = nearest(name, names)
  return best ? `did you mean ${best}? (${[...names].join(', ')})` : 'there is none'
}
