/** What each mode claims of its path, how often it held, and on what evidence. */
import type { Row } from '../../results/columns.ts'
import { type Analysis, groupBy, type ModeView } from '../analysis.ts'
import { integer, plural } from '../format.ts'
import { measuredPaths } from '../hop-changes.ts'
import { type Html, html } from '../html.ts'
import { modeMark } from '../mode-mark.ts'
import { scrollBox } from './charts.ts'

/** One claim of a mode: how often it held, and the evidence of a failure if there is one. */
function claimRow(rows: readonly Row<'facts'>[], example: string | null): Html {
  const failed = rows.find((row) => !row.holds)
  const held = rows.filter((row) => row.holds).length
  const shown = failed ?? rows.find((row) => row.shot === example) ?? rows.at(-1)
  return html`<tr><td>${rows[0]?.claim}</td>
<td class="figure"><span class="sign ${failed ? 'bad' : 'good'}" aria-hidden="true">${failed ? '!' : '✓'}</span> ${integer(held)} of ${integer(rows.length)}</td>
<td class="mono">${shown?.evidence}</td></tr>`
}

/** Claims by when they are judged; one that is judged before and after is told once. */
function claimGroups(facts: readonly Row<'facts'>[], example: string | null): Html[] {
  const claims = [...groupBy(facts, (fact) => fact.claim).values()]
  const standing = claims.filter((rows) => rows.some((row) => row.when === 'before'))
  const groups = [
    ['Before and after every shot: how the path stands', standing],
    ['After every shot: which way its traffic went', claims.filter((rows) => !standing.includes(rows))],
  ] as const
  return groups.flatMap(([title, rows]) =>
    rows.length === 0
      ? []
      : [
          html`<tbody><tr class="when"><th scope="rowgroup" colspan="3">${title}</th></tr>${rows.map((row) => claimRow(row, example))}</tbody>`,
        ],
  )
}

function modeFacts(facts: readonly Row<'facts'>[], mode: ModeView, example: string | null): Html {
  const failed = facts.filter((fact) => !fact.holds).length
  const claims = new Set(facts.map((fact) => fact.claim)).size
  const table = html`<table class="wide"><caption class="unseen">Facts of ${mode.name}</caption><thead><tr><th scope="col">claim</th><th scope="col">held</th><th scope="col">evidence, for example</th></tr></thead>${claimGroups(facts, example)}</table>`
  const verdict = failed === 0 ? 'all held' : `${integer(failed)} did not hold`
  // Unfolded where something failed: nobody should have to look for that.
  const body = html`<summary>${plural(claims, 'claim')}, judged ${plural(facts.length, 'time')}: ${verdict}<span class="unseen"> for ${mode.name}</span></summary>${scrollBox(`Facts of ${mode.name}`, table)}`
  return html`<h3 id="facts-${mode.index}">${modeMark(mode)}${mode.name}</h3>
${failed > 0 ? html`<details open>${body}</details>` : html`<details>${body}</details>`}`
}

export function factSection(run: Analysis): Html {
  const examples = new Map(measuredPaths(run).map(({ mode, shot }) => [mode.name, shot?.id ?? null]))
  const parts = run.modes.map((mode) => {
    const facts = run.record.facts.filter((fact) => fact.mode === mode.name)
    return facts.length === 0 ? null : modeFacts(facts, mode, examples.get(mode.name) ?? null)
  })
  return html`<section id="facts" aria-labelledby="facts-title"><h2 id="facts-title">How is that proven?</h2>
<p>Before and after every shot each mode states what must be true of its path. One fact that does not hold voids the shot. The examples are of the shot that the path picture shows.</p>
${parts}</section>`
}
