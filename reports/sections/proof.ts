/** Facts per mode, shots that are void and why, notes that checks left. */
import type { Row } from '../../results/columns.ts'
import { type Analysis, groupBy } from '../analysis.ts'
import { integer, plural } from '../format.ts'
import { type Html, html } from '../html.ts'
import { modeMark } from '../mode-mark.ts'
import { scrollBox } from './charts.ts'

/** One claim of a mode: how often it held, and the evidence of a failure if there is one. */
function claimRow(rows: readonly Row<'facts'>[]): Html {
  const failed = rows.find((row) => !row.holds)
  const held = rows.filter((row) => row.holds).length
  return html`<tr><td>${rows[0]?.claim}</td>
<td class="figure"><span class="sign ${failed ? 'bad' : 'good'}" aria-hidden="true">${failed ? '!' : '✓'}</span> ${integer(held)} of ${integer(rows.length)}</td>
<td class="mono">${(failed ?? rows.at(-1))?.evidence}</td></tr>`
}

export function factSection(run: Analysis): Html {
  const tables = run.modes.map((mode) => {
    const facts = run.record.facts.filter((fact) => fact.mode === mode.name)
    if (facts.length === 0) return null
    const claims = [...groupBy(facts, (fact) => fact.claim).values()]
    return html`<h3 id="facts-${mode.index}">${modeMark(mode)}${mode.name}</h3>
${scrollBox(
  `Facts of ${mode.name}`,
  html`<table class="wide"><caption class="unseen">Facts of ${mode.name}</caption><thead><tr><th scope="col">claim</th><th scope="col">held</th><th scope="col">evidence, for example</th></tr></thead><tbody>${claims.map(claimRow)}</tbody></table>`,
)}`
  })
  return html`<section id="facts" aria-labelledby="facts-title"><h2 id="facts-title">How is that proven?</h2>
<p>Before and after every shot each mode states what must be true of its path. One fact that does not hold voids the shot.</p>
${tables}</section>`
}

const checkRow = (check: Row<'checks'>): Html =>
  html`<tr><td class="mono">${check.shot}</td><td>${check.code}</td><td>${check.limit}</td><td>${check.actual}</td><td>${check.remedy}</td></tr>`

function voidTable(run: Analysis): Html {
  const void_ = new Set(run.shots.filter((shot) => !shot.valid).map((shot) => shot.id))
  const causes = run.record.checks.filter(
    (check) => void_.has(check.shot) && !check.passed && check.severity === 'void',
  )
  const explained = new Set(causes.map((check) => check.shot))
  const bare = [...void_].filter((shot) => !explained.has(shot))
  return scrollBox(
    'Void shots',
    html`<table class="wide"><caption class="unseen">Void shots and why</caption><thead><tr><th scope="col">shot</th><th scope="col">rule</th><th scope="col">allowed</th><th scope="col">seen</th><th scope="col">what to do</th></tr></thead>
<tbody>${causes.map(checkRow)}${bare.map((shot) => html`<tr><td class="mono">${shot}</td><td colspan="4">void without a recorded rule: it ended before it could be judged</td></tr>`)}</tbody></table>`,
  )
}

/** Facts that did not hold, in full: the numbers that voided a shot. */
function brokenFacts(run: Analysis): Html | null {
  const broken = run.record.facts.filter((fact) => !fact.holds)
  if (broken.length === 0) return null
  return html`<h3>Facts that did not hold</h3><ul>${broken.map((fact) => html`<li><span class="mono">${fact.shot}</span>, ${fact.when}: ${fact.claim}. <span class="mono">${fact.evidence}</span></li>`)}</ul>`
}

function notes(run: Analysis): Html | null {
  const failed = run.record.checks.filter((check) => !check.passed && check.severity === 'note')
  if (failed.length === 0) return null
  const rows = [...groupBy(failed, (check) => JSON.stringify([check.code, check.limit, check.remedy])).values()]
  return html`<h3>Notes that void nothing</h3>${scrollBox(
    'Notes of checks',
    html`<table class="wide"><caption class="unseen">Notes of checks</caption><thead><tr><th scope="col">rule</th><th scope="col">shots</th><th scope="col">wanted</th><th scope="col">seen, for example</th><th scope="col">what to do</th></tr></thead>
<tbody>${rows.map(([first, ...rest]) => first && html`<tr><td>${first.code}</td><td class="figure">${integer(rest.length + 1)}</td><td>${first.limit}</td><td>${first.actual}</td><td>${first.remedy}</td></tr>`)}</tbody></table>`,
  )}`
}

export function voidSection(run: Analysis): Html {
  const count = run.shots.filter((shot) => !shot.valid).length
  return html`<section id="voided" aria-labelledby="voided-title"><h2 id="voided-title">What does not count?</h2>
<p>${count === 0 ? `None of ${plural(run.shots.length, 'shot')} is void.` : `${integer(count)} of ${plural(run.shots.length, 'shot')} ${count === 1 ? 'is' : 'are'} void. Void shots stay in the files and enter no estimate.`}</p>
${count > 0 && voidTable(run)}${brokenFacts(run)}${notes(run)}</section>`
}
