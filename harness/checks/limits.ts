/** Limits of the validity rules, with their sources. Starting values, to be replaced by A/A data. */
export const limits = {
  /** Least share of planned requests that must have been sent (Lancet checks the rate; methodology rule 5). */
  sentShare: 0.99,
  /** A percentile of lateness must not exceed the larger of this … (methodology rule 5) */
  latenessNs: 100_000,
  /** … and this share of the same percentile of latency, else that percentile of latency is not given. */
  latenessShare: 0.1,
  /** Share of a core that the driver may use, its waiting spin not counted (methodology rule 5). */
  driverCoreShare: 0.7,
  /** Failed requests over planned (methodology rule 29). */
  errorShare: 0.001,
  /** Samples that must lie beyond a percentile (methodology rule 8). */
  samplesBeyond: 100,
  /** CPU time of processes that are not the run's, and time stolen by the hypervisor, over the window (rule 21). */
  foreignShare: 0.05,
  stealShare: 0.01,
  /** Spin test beside a shot, against the best in the run: below this it is said (rule 22) … */
  spinNoteRatio: 0.97,
  /**
   * … and below this the shot is void. On shared virtual CPUs the test knows three states: alone (0.95–1), beside a busy
   * hyperthread (0.65–0.8), and squeezed (0.45–0.55); the limit lies in the gap between the last two.
   */
  spinVoidRatio: 0.6,
  /** A mode's p50 should be this many times the driver's floor (rule 6). */
  floorFactor: 2,
  /** Batches of five slices needed to judge settling by MSER-5 (White, Cobb, Spratt; rule 20). */
  settlingBatches: 10,
} as const
