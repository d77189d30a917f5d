/** Seeded randomness for plans: small, well known, the same everywhere. */

/** FNV-1a, 32 bit (isthe.com/chongo/tech/comp/fnv): turns the parts of a name into a seed. */
export function hash(...parts: readonly (string | number)[]): number {
  let value = 0x811c9dc5
  for (const char of parts.join('\u0000')) {
    value ^= char.codePointAt(0) ?? 0
    value = Math.imul(value, 0x01000193)
  }
  return value >>> 0
}

/** mulberry32 (Tommy Ettinger): 32 bit state, uniform in [0, 1). */
export function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Fisher–Yates; the input stays as it is. */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const next = random(seed)
  const deck = [...items]
  for (let i = deck.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1))
    const [a, b] = [deck[i] as T, deck[j] as T]
    deck[i] = b
    deck[j] = a
  }
  return deck
}
