/** The frame of the page: head, landmarks, order of sections. */
import type { Analysis } from './analysis.ts'
import { plural } from './format.ts'
import { type Html, html, raw } from './html.ts'
import { earlyScript, lateScript } from './script.ts'
import { style } from './style.ts'

const contents = [
  ['answer', 'Answer'],
  ['charts', 'Charts'],
  ['paths', 'Paths'],
  ['facts', 'Facts'],
  ['voided', 'Void shots'],
  ['environment', 'Environment'],
  ['again', 'Do it again'],
  ['reading', 'How to read it'],
] as const

/** Nothing may be fetched from anywhere: the page brings its style, script and pictures along. */
const policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"

const day = (iso: string): string => `${iso.slice(0, 10)}, ${iso.slice(11, 16)} UTC`

export function page(run: Analysis, sections: readonly Html[]): string {
  const { manifest } = run.record
  const blocks = new Set(run.shots.filter((shot) => shot.block > 0).map((shot) => shot.block)).size
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="color-scheme" content="light dark">
<title>datapath-bench: ${manifest.run}</title>
<link rel="icon" href="data:,">
<style>${raw(style)}</style>
<script>${raw(earlyScript)}</script>
</head>
<body>
<a class="skip" href="#main">Skip to the answer</a>
<div class="page">
<header class="top">
<div><h1>What does the service mesh’s datapath cost here?</h1>
<p class="meta"><time datetime="${manifest.startedAt}">${day(manifest.startedAt)}</time> · ${plural(run.modes.length, 'mode')} · ${plural(blocks, 'block')} · ${manifest.host.cpuModel}, ${plural(manifest.host.cpus, 'CPU')} · run ${manifest.run}</p></div>
<button type="button" class="scheme" hidden>Dark colours</button>
</header>
<nav class="contents" aria-label="Sections"><ul>${contents.map(([id, label]) => html`<li><a href="#${id}">${label}</a></li>`)}</ul></nav>
<main id="main" tabindex="-1">${sections}</main>
<footer>Built by datapath-bench ${manifest.version} (${manifest.commit}) from the files of the run alone.</footer>
</div>
<script>${raw(lateScript)}</script>
</body>
</html>
`.text
}
