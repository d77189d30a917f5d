/** First screen: what was run, one sentence per mode, whether each proved its path. */
import type { Analysis } from '../analysis.ts'
import { type Answer, answers, type Proof, proofs } from '../answers.ts'
import { integer, plural } from '../format.ts'
import { type Html, html } from '../html.ts'
import { modeMark } from '../mode-mark.ts'

/** An interval stays on one line: word joiners around its dash. */
const unbroken = (text: string): string => text.replaceAll('–', '\u2060–\u2060')

const answerItem = ({
  mode,
  words,
  basis,
}: Answer): Html => html`<li class="answer" style="--own:var(--mode-${mode.index % 8})">
<h3>${modeMark(mode)}${mode.name}</h3>
<p>${words.map(({ text, strong }) => (strong ? html`<strong>${unbroken(text)}</strong>` : text))}</p>
<p class="basis">${basis}</p>
</li>`

const proofItem = ({ mode, shots, proven, factsHeld, factsFailed, voided }: Proof): Html => html`<tr>
<th scope="row">${modeMark(mode)}${mode.name}</th>
<td><span class="sign ${proven === shots ? 'good' : 'bad'}" aria-hidden="true">${proven === shots ? '✓' : '!'}</span> ${integer(proven)} of ${plural(shots, 'shot')} proved their path</td>
<td>${plural(factsHeld, 'fact')} held${factsFailed > 0 && html`, <a href="#voided">${integer(factsFailed)} did not</a>`}</td>
<td>${voided > 0 ? html`<a href="#voided">${plural(voided, 'shot')} void</a>` : 'none void'}</td>
</tr>`

const unfinished = (outcome: string): Html | null =>
  outcome === 'done'
    ? null
    : html`<p class="notice" role="note">This run ended as «${outcome}»: the page shows what had been measured by then.</p>`

export function opening(run: Analysis): Html {
  const { manifest } = run.record
  return html`<section id="answer" aria-labelledby="answer-title">
<h2 id="answer-title">What does each datapath cost?</h2>
${unfinished(manifest.outcome)}
<ul class="answers">${answers(run).map(answerItem)}</ul>
<h3 id="proof-title">Did the traffic go that way?</h3>
<div class="scroll" tabindex="0" role="region" aria-labelledby="proof-title"><table class="proof"><caption class="unseen">Proof of path by mode</caption>
<tbody>${proofs(run).map(proofItem)}</tbody></table></div>
</section>`
}
