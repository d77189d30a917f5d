/** Limits of the validity rules, with their sources. Starting values, to be replaced by A/A data. */
export const limits = {
  /** Least share of planned requests that must have been sent (Lancet checks the rate; methodology rule 5). */
  sentShare: 0.99,
  /** Lateness p99 must not exceed the larger of this … (methodology rule 5) */
  latenessNs: 100_000,
  /** … and this share of the latency p50. */
  latenessShareOfP50: 0.1,
  /** Share of a core that the driver may use, its waiting spin not counted (methodology rule 5). */
  driverCoreShare: 0.7,
  /** Failed requests over planned (methodology rule 29). */
  errorShare: 0.001,
  /** Samples that must lie beyond a percentile (methodology rule 8). */
  samplesBeyond: 100,
  /** CPU time of processes that are not the run's, and time stolen by the hypervisor, over the window (rule 21). */
  foreignShare: 0.05,
  stealShare: 0.01,
  /** Drift of the spin test (rule 22). */
  spinDrift: 0.03,
  /** A mode's p50 should be this many times the driver's floor (rule 6). */
  floorFactor: 2,
  /** Batches of five slices needed to judge settling by MSER-5 (White, Cobb, Spratt; rule 20). */
  settlingBatches: 10,
} as const
