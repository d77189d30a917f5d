/** The method in short: what the figures mean, and what they do not. */
import type { Analysis } from '../analysis.ts'
import { caveats } from '../caveats.ts'
import { type Html, html } from '../html.ts'

/** Modes whose second kernel stands in for another are named, so that nobody takes one for the other. */
function standIns(run: Analysis): Html {
  const sandboxed = run.modes.filter((mode) => mode.sandbox !== 'none')
  return sandboxed.length === 0
    ? html`<li>No mode of this run has a second kernel around the application; nothing here says what a sandbox costs.</li>`
    : html`${caveats(run).map((text) => html`<li>${text}</li>`)}<li>The cost of one sandbox is not the cost of another. Where the driver runs in the sandbox, its own CPU cannot be told apart from the guest’s and is counted with it, in all sandboxed modes alike.</li>`
}

/** What a bypassed mode is, in words. */
const bypassed = (run: Analysis): Html[] =>
  run.modes.flatMap((mode) =>
    mode.bypassed === '' ? [] : [html`<li><strong>${mode.name} is bypassed:</strong> ${mode.bypassed}</li>`],
  )

export const readingSection = (
  run: Analysis,
): Html => html`<section id="reading" aria-labelledby="reading-title"><h2 id="reading-title">How to read it?</h2>
<h3>What is an interval?</h3>
<p>«120 µs (110–131)» is the mean over blocks and its 95 % t interval: of many such runs, 95 in 100 would have an interval that holds the true mean under the same weather. In a block every mode runs once, in random order, with all its processes started afresh. Modes are compared within a block, differences as differences and ratios on the log scale; the block counts as one observation, however many requests it had. With fewer than five blocks only the span of what was seen is shown.</p>
<h3>What is open, what is closed?</h3>
<p>Latency comes from an open loop: all send times are planned before the first, and waiting counts from the plan. Capacity, round trips, connections and streams come from closed loops: the next one goes out when the last is done. The two never share a chart.</p>
<h3>What is not compared?</h3>
<ul>
${standIns(run)}
${bypassed(run)}
<li>Absolute figures are of this machine. Proxies share its CPUs with client and server; ratios travel better than microseconds.</li>
<li>No control plane, no policies, no telemetry, no large payloads unless the options say so.</li>
<li>The percentile chart merges requests of many shots: it is a picture, and no interval rests on it.</li>
<li>Many figures stand on one page: an interval that just misses «no difference» will turn up by chance.</li>
</ul></section>`
