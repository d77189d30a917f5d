/** First screen: what was run, one sentence per mode, whether each proved its path. */
import type { Analysis } from '../analysis.ts'
import { type Answer, answers } from '../answers.ts'
import { tags } from '../caveats.ts'
import { integer, plural, significant } from '../format.ts'
import { type Html, html } from '../html.ts'
import { modeMark } from '../mode-mark.ts'
import { type Proof, proofs } from '../proofs.ts'
import { hostLine } from '../weather.ts'

/** An interval stays on one line: word joiners around its dash. */
const unbroken = (text: string): string => text.replaceAll('–', '\u2060–\u2060')

const answerItem = ({
  mode,
  words,
  basis,
}: Answer): Html => html`<li class="answer" style="--own:var(--mode-${mode.index % 8})">
<h3>${modeMark(mode)}${mode.name}${tags(mode).map((tag) => html` <span class="tag">${tag}</span>`)}</h3>
<p>${words.map(({ text, strong }) => (strong ? html`<strong>${unbroken(text)}</strong>` : text))}</p>
<p class="basis">${basis}</p>${mode.bypassed !== '' && html`<p class="notice">${mode.bypassed}</p>`}
</li>`

const proofItem = ({ mode, shots, proven, factsHeld, factsFailed, voided }: Proof): Html => html`<tr>
<th scope="row">${modeMark(mode)}${mode.name}</th>
<td><span class="sign ${proven === shots ? 'good' : 'bad'}" aria-hidden="true">${proven === shots ? '✓' : '!'}</span> ${integer(proven)} of ${plural(shots, 'shot')} proved their path</td>
<td>${plural(factsHeld, 'fact')} held${factsFailed > 0 && html`, <a href="#voided">${integer(factsFailed)} did not</a>`}</td>
<td>${voided > 0 ? html`<a href="#voided">${plural(voided, 'shot')} void</a>` : 'none void'}</td>
</tr>`

/** What an outcome other than «done» means for the reader. */
const outcomes: Readonly<Record<string, string>> = {
  running: 'This run has not said that it ended: the page shows what had been measured by then.',
  interrupted: 'This run was stopped before its end: the page shows what had been measured by then.',
  failed: 'This run failed before its end: the page shows what had been measured by then.',
}

function notice(run: Analysis): Html | null {
  const { outcome } = run.record.manifest
  const lost = run.shots.filter((shot) => !shot.valid).length
  const undecided = `Too many shots are void (${integer(lost)} of ${integer(run.shots.length)}) for this run to decide anything. The figures rest on the valid ones: a first look, to be repeated on a quieter machine.`
  const nothing =
    'Every shot is void: this run says nothing about costs. The page shows which way the traffic went, and why no shot counts.'
  const words = outcome === 'undecided' ? (lost === run.shots.length ? nothing : undecided) : outcomes[outcome]
  return words ? html`<p class="notice" role="note">${words}</p>` : null
}

/** The load that all answers share, said once and in full. */
function loadLine(run: Analysis): Html | null {
  const cell = run.headline
  if (!cell) return null
  const { rates } = run.record.manifest
  const share =
    cell.loadPercent === null
      ? ''
      : `, ${significant(cell.loadPercent, 2)} % of what ${rates ? `the weakest mode (${rates.weakest})` : 'the weakest mode'} can carry`
  return html`<p class="question">All modes were asked the same: ${cell.protocol.toUpperCase()} over ${plural(cell.connections, 'connection')}${cell.rate === null ? '' : ` at ${integer(cell.rate)} requests/s`}${share}.</p>`
}

export function opening(run: Analysis): Html {
  return html`<section id="answer" aria-labelledby="answer-title">
<h2 id="answer-title">What does each datapath cost?</h2>
${notice(run)}
${loadLine(run)}
<ul class="answers">${answers(run).map(answerItem)}</ul>
<p class="basis host"><strong>Host:</strong> ${hostLine(run)}.</p>
<h3 id="proof-title">Did the traffic go that way?</h3>
<div class="scroll" tabindex="0" role="region" aria-labelledby="proof-title"><table class="proof"><caption class="unseen">Proof of path by mode</caption>
<tbody>${proofs(run).map(proofItem)}</tbody></table></div>
</section>`
}
