/** How many tests passed and failed, read from what vitest and cargo say (pure). */

/** @typedef {{ passed: number, failed: number }} Counts */

/**
 * @param {string} json of vitest's JSON reporter
 * @returns {Counts}
 */
export function vitestCounts(json) {
  const { numPassedTests, numFailedTests, numFailedTestSuites, success } = JSON.parse(json)
  // a file that cannot be loaded has no failed test, but is a failure
  const failed = numFailedTests || (success ? 0 : Math.max(1, numFailedTestSuites))
  return { passed: numPassedTests, failed }
}

/**
 * @param {string} output of cargo test
 * @returns {Counts}
 */
export function cargoCounts(output) {
  const counts = { passed: 0, failed: 0 }
  for (const match of output.matchAll(/^test result: .* (\d+) passed; (\d+) failed;/gm)) {
    counts.passed += Number(match[1])
    counts.failed += Number(match[2])
  }
  return counts
}

/** @param {readonly Counts[]} all */
export function summed(all) {
  const passed = all.reduce((sum, counts) => sum + counts.passed, 0)
  const failed = all.reduce((sum, counts) => sum + counts.failed, 0)
  return `${passed} passed, ${failed} failed`
}
