/** Shots that do not count: why, by rule and one by one, and the notes that checks left. */

import { checks } from '../../harness/checks/index.ts'
import type { Row } from '../../results/columns.ts'
import { type Analysis, groupBy } from '../analysis.ts'
import { integer, plural } from '../format.ts'
import { type Html, html } from '../html.ts'
import { scrollBox } from './charts.ts'

type Check = Row<'checks'>

/** What a rule finds, in the words of the check itself. */
const meaningOf = (code: string): string => checks.find((check) => check.code === code)?.about ?? ''

const checkRow = (check: Check): Html =>
  html`<tr><td class="mono">${check.shot}</td><td>${check.code}</td><td>${check.limit}</td><td>${check.actual}</td><td>${check.remedy}</td></tr>`

const reasons = (run: Analysis, lost: ReadonlySet<string>): Check[] =>
  run.record.checks.filter((check) => lost.has(check.shot) && !check.passed && check.severity === 'void')

/** One row per rule: what it found, how often, one example. */
function ruleTable(name: string, failed: readonly Check[]): Html {
  const rules = [...groupBy(failed, (check) => check.code).values()].sort((a, b) => b.length - a.length)
  return scrollBox(
    name,
    html`<table class="wide"><caption class="unseen">${name}</caption><thead><tr><th scope="col">rule</th><th scope="col">shots</th><th scope="col">what it found</th><th scope="col">allowed</th><th scope="col">seen, for example</th><th scope="col">what to do</th></tr></thead>
<tbody>${rules.map(([first, ...rest]) => first && html`<tr><td>${first.code}</td><td class="figure">${integer(rest.length + 1)}</td><td>${meaningOf(first.code)}</td><td>${first.limit}</td><td>${first.actual}</td><td>${first.remedy}</td></tr>`)}</tbody></table>`,
  )
}

function voidTable(causes: readonly Check[], lost: ReadonlySet<string>): Html {
  const explained = new Set(causes.map((check) => check.shot))
  const bare = [...lost].filter((shot) => !explained.has(shot))
  return html`<details><summary>Every void shot and why</summary>${scrollBox(
    'Void shots',
    html`<table class="wide"><caption class="unseen">Void shots and why</caption><thead><tr><th scope="col">shot</th><th scope="col">rule</th><th scope="col">allowed</th><th scope="col">seen</th><th scope="col">what to do</th></tr></thead>
<tbody>${causes.map(checkRow)}${bare.map((shot) => html`<tr><td class="mono">${shot}</td><td colspan="4">void without a recorded rule: it ended before it could be judged</td></tr>`)}</tbody></table>`,
  )}</details>`
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
  return html`<h3>Notes that void nothing</h3>${ruleTable('Notes of checks', failed)}`
}

export function voidSection(run: Analysis): Html {
  const lost = new Set(run.shots.filter((shot) => !shot.valid).map((shot) => shot.id))
  const causes = reasons(run, lost)
  const count = lost.size
  return html`<section id="voided" aria-labelledby="voided-title"><h2 id="voided-title">What does not count?</h2>
<p>${count === 0 ? `None of ${plural(run.shots.length, 'shot')} is void.` : `${integer(count)} of ${plural(run.shots.length, 'shot')} ${count === 1 ? 'is' : 'are'} void. Void shots stay in the files and enter no estimate. A shot may break several rules.`}</p>
${causes.length > 0 && ruleTable('Rules that voided shots', causes)}${count > 0 && voidTable(causes, lost)}${brokenFacts(run)}${notes(run)}</section>`
}
