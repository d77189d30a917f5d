/** The page's style sheet: system fonts, one accent per mode, light and dark by the same names. */
import { paletteCss } from './theme.ts'

const light = `color-scheme:light;--paper:#fbfaf8;--card:#fff;--ink:#1c2127;--muted:#59626d;--line:#e3e0da;--link:#0a5a9c;--good:#12714f;--bad:#b3261e;--soft:#f2efe9;--plain:#b0431a;--mtls:#0b7a75;--hbone:#2458c5;--vsock:#8b3d92;--memory:#3f7d20;${paletteCss('light')}`
const dark = `color-scheme:dark;--paper:#14171b;--card:#1b1f25;--ink:#e8eaed;--muted:#a3adb8;--line:#323942;--link:#7cc0ff;--good:#5fd3a5;--bad:#ff8f86;--soft:#232930;--plain:#ff9b63;--mtls:#4fd0c7;--hbone:#8fb0ff;--vsock:#df9be5;--memory:#9fd67a;${paletteCss('dark')}`

/** The colours by name, for pictures that stand alone. */
export const schemes = { light, dark } as const

export const style = `
:root{${light}}
@media (prefers-color-scheme:dark){:root:not([data-scheme=light]){${dark}}}
:root[data-scheme=dark]{${dark}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.page{max-width:1100px;margin:0 auto;padding:0 24px}
a{color:var(--link);text-underline-offset:3px}
:focus-visible{outline:3px solid var(--link);outline-offset:2px;border-radius:4px}
.skip{position:absolute;left:-9999px}.skip:focus{left:16px;top:12px;z-index:9;background:var(--card);padding:8px 14px}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
header.top{padding:44px 0 8px;display:flex;gap:16px 24px;justify-content:space-between;align-items:flex-start;}
h1{font-size:clamp(1.7rem,4.4vw,2.5rem);line-height:1.15;letter-spacing:-.02em;margin:0 0 8px;font-weight:700;text-wrap:balance}
.meta{margin:0;max-width:84ch;color:var(--muted);font-size:.92rem}
button.scheme{font:inherit;white-space:nowrap;flex:none;font-size:.88rem;color:var(--ink);background:var(--card);border:1px solid var(--line);border-radius:999px;padding:7px 16px;cursor:pointer}
nav.contents{border-block:1px solid var(--line);margin:20px 0 0}
nav.contents ul{list-style:none;display:flex;flex-wrap:wrap;gap:2px 22px;margin:0;padding:9px 0}
nav.contents a{font-size:.9rem;text-decoration:none;display:inline-block;padding:4px 0}nav.contents a:hover{text-decoration:underline}
section{margin:56px 0}
h2{font-size:1.5rem;line-height:1.25;letter-spacing:-.012em;margin:0 0 20px}
h3{font-size:1.08rem;line-height:1.35;margin:32px 0 8px}
p{margin:0 0 12px;max-width:72ch}
.answers{list-style:none;margin:0;padding:0;display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:16px}
.answer{background:var(--card);border:1px solid var(--line);border-left:5px solid var(--own);border-radius:10px;padding:18px 22px 14px}
.answer h3{margin:0 0 6px}.answer p{font-size:1.08rem;line-height:1.5;margin:0 0 8px}.answer strong{white-space:normal}
.tag{display:inline-block;margin-left:.4em;padding:.1em .6em;border:1px solid var(--line);border-radius:1em;font-size:.72rem;font-weight:500;color:var(--muted);vertical-align:middle}
.answer .basis,.basis{color:var(--muted);font-size:.86rem;margin:0}.host{max-width:none;margin-top:16px}
.mark{margin-right:9px;vertical-align:-1.5px;flex:none}
.notice{background:var(--soft);border-left:4px solid var(--bad);padding:10px 16px;border-radius:6px}
.sign{font-weight:700}.good{color:var(--good)}.bad{color:var(--bad)}
table{border-collapse:collapse;font-size:.92rem;min-width:100%}
th,td{text-align:left;vertical-align:top;padding:7px 18px 7px 0;border-bottom:1px solid var(--line)}
thead th{color:var(--muted);font-weight:500;font-size:.85rem;white-space:nowrap}
tbody th{font-weight:600;white-space:nowrap}
td.figure{white-space:nowrap}
table.wide{width:100%;min-width:720px}#voided td:first-child:not(.mono){white-space:nowrap}#facts td:first-child{width:46%}#facts td:nth-child(2){width:120px}
tr.when th{white-space:normal;font-weight:600;padding-top:18px;color:var(--muted);font-size:.88rem}
.proof td,.proof th{white-space:nowrap}
figure{margin:0}
.chart,.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:24px 26px 18px;margin:0 0 24px}
.chart h3,.card h3{margin-top:0}
.question{color:var(--muted);margin-bottom:14px}
figcaption{color:var(--muted);font-size:.88rem;max-width:84ch;margin-top:12px}
.scroll{overflow-x:auto;max-width:100%;overscroll-behavior-x:contain;overflow-wrap:normal}
.scroll>svg{display:block;height:auto;flex:none}
.chart .scroll>svg{margin:0 auto}
svg text{font-variant-numeric:tabular-nums}
details{margin-top:14px}ul.files>li{margin-bottom:12px}ul.files details{margin-top:2px}summary{cursor:pointer;color:var(--link);font-size:.92rem}details[open]>summary{margin-bottom:10px}
code,pre,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.88em}
pre{background:var(--soft);border-radius:8px;padding:14px 16px;overflow-x:auto;margin:0 0 14px;overflow-wrap:normal}
dl.facts{display:grid;grid-template-columns:minmax(110px,max-content) 1fr;gap:6px 24px;margin:0;font-size:.95rem}dl.facts dt{color:var(--muted)}dl.facts dd{margin:0}
.path-legend{display:flex;flex-wrap:wrap;gap:4px 26px;list-style:none;margin:0 0 18px;padding:0;font-size:.9rem}.path-legend svg{vertical-align:middle;margin-right:8px}
ol.way{list-style:none;margin:0;padding:0}
ol.way>li{border-left:3px solid var(--line);padding:2px 0 14px 16px;position:relative}
ol.way>li::before{content:"";position:absolute;left:-7px;top:9px;width:11px;height:11px;border-radius:50%;background:var(--own,var(--muted))}
ol.way .lane{color:var(--muted);font-size:.82rem}ol.way .detail{color:var(--muted);font-size:.86rem}ol.way .label{font-weight:600}
ol.way .next{font-size:.84rem;font-weight:600}
.tip{position:fixed;z-index:10;max-width:340px;pointer-events:none;background:var(--ink);color:var(--paper);font-size:.86rem;line-height:1.4;padding:7px 11px;border-radius:7px;white-space:pre-line}
footer{border-top:1px solid var(--line);color:var(--muted);font-size:.88rem;padding:22px 0 48px}
@media (max-width:719px){.page{padding:0 16px}header.top{padding-top:26px;flex-direction:column}section{margin:40px 0}.chart,.card{padding:18px 16px 14px;border-radius:10px}.path-drawing{display:none}dl.facts{grid-template-columns:1fr;gap:0}dl.facts dd{margin-bottom:10px}.proof td,.proof th{padding-right:12px}.proof td{white-space:normal}}
@media (min-width:720px){ol.way{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
@media print{:root,:root[data-scheme]{${light}--paper:#fff}.scheme,nav.contents,.skip,.tip,details:not([open]){display:none}body{font-size:11pt}.chart,.card,.answer{break-inside:avoid;border-color:#bbb}section{margin:24pt 0}.scroll{overflow:visible}.scroll>svg{max-width:100%}}
`
