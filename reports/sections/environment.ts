/** Where and how the run was made, how to make it again, and its files. */

import { describeWarning } from '../../harness/warnings.ts'
import { tables } from '../../results/columns.ts'
import type { Analysis } from '../analysis.ts'
import { human, integer, plural } from '../format.ts'
import { type Html, html } from '../html.ts'
import { modeMark } from '../mode-mark.ts'
import { hostShare, shareText, spins, spinText } from '../weather.ts'
import { scrollBox } from './charts.ts'

const list = (entries: readonly (readonly [string, string | Html])[]): Html =>
  html`<dl class="facts">${entries.filter(([, value]) => value !== '').map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`

/** What others took of the host's CPU time during the windows, and how fast the CPUs were beside them. */
function weather(run: Analysis): [string, string][] {
  const [steal, foreign, spin] = [hostShare(run, 'steal_seconds'), hostShare(run, 'foreign_seconds'), spins(run)]
  return [
    ['CPU time stolen', steal ? shareText(steal) : ''],
    ['CPU time of others', foreign ? shareText(foreign) : ''],
    ['speed of the CPUs', spin ? spinText(spin) : ''],
  ]
}

function versions(run: Analysis): Html {
  return html`<h3>What ran in each mode?</h3>${scrollBox(
    'Versions by mode',
    html`<table class="wide"><caption class="unseen">Versions by mode</caption><thead><tr><th scope="col">mode</th><th scope="col">proxy</th><th scope="col">sandbox</th><th scope="col">versions</th></tr></thead><tbody>${run.modes.map(
      (mode) => {
        const facts = run.record.manifest.modes[mode.name]
        const known = Object.entries(facts?.versions ?? {})
        return html`<tr><th scope="row">${modeMark(mode)}${mode.name}</th><td>${mode.proxy}</td><td>${mode.sandbox === 'none' ? 'none' : `${mode.sandbox} (${mode.sandboxed})`}</td><td>${known.length > 0 ? known.map(([name, version]) => (version.startsWith(name) ? version : `${name} ${version}`)).join(' · ') : 'none'}</td></tr>`
      },
    )}</tbody></table>`,
  )}`
}

export function environmentSection(run: Analysis): Html {
  const { host, pinning, driverFloorNs, rates, warnings } = run.record.manifest
  const first = run.record.shots[0]
  return html`<section id="environment" aria-labelledby="environment-title"><h2 id="environment-title">Where was it measured?</h2>
${list([
  ['CPU', `${host.cpuModel}, ${plural(host.cpus, 'CPU')}`],
  ['memory', human(host.memoryBytes, 'bytes')],
  ['kernel', host.kernel],
  ['system', `${host.os}, Node ${host.node}`],
  ['virtualised', host.virtualised],
  ['control groups', host.cgroup],
  ['pods', first ? `provider ${first.provider}, ${first.placement}` : ''],
  ['pinning', `driver: ${pinning.driver}; datapath: ${pinning.datapath}`],
  [
    'driver’s floor',
    driverFloorNs === null ? 'not known' : `${human(driverFloorNs, 'ns')} at p50 against an echo in its own namespace`,
  ],
  [
    'rates',
    rates
      ? `${rates.ratesPerSecond.map(integer).join(', ')} requests/s, from ${rates.weakest}’s capacity of ${integer(rates.capacityPerSecond)}`
      : 'as given',
  ],
  ...weather(run),
])}
${warnings.length > 0 && html`<h3>Warnings of the run</h3><ul>${warnings.map(describeWarning).map(({ message, remedy }) => html`<li>${message}: ${remedy}.</li>`)}</ul>`}
${versions(run)}</section>`
}

export function againSection(run: Analysis): Html {
  const { command, commit, seed, version, run: id, options } = run.record.manifest
  const files = Object.values(tables).map(
    ({
      file,
      about,
      columns,
    }) => html`<li><a href="../../results/${encodeURIComponent(id)}/${file}">${file}</a>: ${about}
<details><summary>Columns<span class="unseen"> of ${file}</span></summary>${list(columns.map((column) => [column.name, column.about] as const))}</details></li>`,
  )
  return html`<section id="again" aria-labelledby="again-title"><h2 id="again-title">How to do it again?</h2>
<pre tabindex="0"><code>${command}</code></pre>
${list([
  ['version', `${version}, commit ${commit}`],
  ['seed', String(seed)],
  ['this page', html`<code>npm run report -- ${id}</code>`],
])}
<details><summary>All options</summary><pre tabindex="0"><code>${JSON.stringify(options, null, 2)}</code></pre></details>
<h3>Where are the figures?</h3>
<ul class="files"><li><a href="../../results/${encodeURIComponent(id)}/manifest.json">manifest.json</a>: versions, options, plan, path pictures</li>${files}</ul></section>`
}
