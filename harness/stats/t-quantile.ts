/** Student's t: distribution function by the incomplete beta integral, quantile by bisection on it. */

/** ln Γ(x) for x > 0, Lanczos approximation (g = 7, nine terms), relative error below 1e-13. */
function logGamma(x: number): number {
  const terms = [
    676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905,
    -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
  ]
  const shifted = x - 1
  const base = shifted + 7.5
  const sum = terms.reduce((total, term, index) => total + term / (shifted + index + 1), 0.9999999999998099)
  return 0.5 * Math.log(2 * Math.PI) + (shifted + 0.5) * Math.log(base) - base + Math.log(sum)
}

/** Continued fraction of the incomplete beta integral, by Lentz's method. */
function betaFraction(a: number, b: number, x: number): number {
  const tiny = 1e-300
  const kept = (value: number) => (Math.abs(value) < tiny ? tiny : value)
  let c = 1
  let d = 1 / kept(1 - ((a + b) * x) / (a + 1))
  let result = d
  for (let m = 1; m <= 300; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    for (const step of [even, odd]) {
      d = 1 / kept(1 + step * d)
      c = kept(1 + step / c)
      result *= c * d
    }
    if (Math.abs(c * d - 1) < 1e-15) break
  }
  return result
}

/** Regularised incomplete beta I_x(a, b), 0 ≤ x ≤ 1. */
function regularisedBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x))
  return x < (a + 1) / (a + b + 2) ? (front * betaFraction(a, b, x)) / a : 1 - (front * betaFraction(b, a, 1 - x)) / b
}

/** P(T ≤ t) for `freedom` degrees of freedom. */
export function tDistribution(t: number, freedom: number): number {
  const tail = regularisedBeta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2
  return t > 0 ? 1 - tail : tail
}

/** The t with P(T ≤ t) = p; `freedom` ≥ 1, 0 < p < 1. */
export function tQuantile(p: number, freedom: number): number {
  if (!(p > 0 && p < 1) || !(freedom >= 1)) throw new RangeError(`no t quantile for p = ${p}, ${freedom} degrees`)
  if (p === 0.5) return 0
  // The lower tail keeps its precision where 1 - p would lose it, and makes the function exactly odd.
  if (p > 0.5) return -tQuantile(1 - p, freedom)
  let low = -1
  while (tDistribution(low, freedom) > p) low *= 2
  let high = 0
  for (let step = 0; step < 200 && high - low > 1e-13 * Math.abs(low); step++) {
    const middle = (low + high) / 2
    if (tDistribution(middle, freedom) < p) low = middle
    else high = middle
  }
  return (low + high) / 2
}
