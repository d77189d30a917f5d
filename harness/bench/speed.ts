/**
 * `npm run speed`: how quick the harness itself is, each figure beside its target and as a ratio to it (1.0 or less is
 * met). Figures of a busy machine are only rough; a part that is not there is named, not guessed.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import type { Mode, Provider } from '../contracts.ts'
import { Scope } from '../scope.ts'

/** Targets of the project. */
const targets = { allModesSeconds: 12, oneModeSeconds: 1.5, reportSeconds: 5, reportMegabytes: 3, reportShots: 200 }

interface Figure {
  readonly what: string
  readonly value: number
  readonly target: number
  readonly unit: string
}

const modeNames = ['baseline', 'sidecar', 'ambient', 'waypoint']

/** Seconds to lay `mode` on a fresh testbed, and with its first proof; the testbed is gone afterwards. */
async function layOnce(provider: Provider, mode: Mode): Promise<{ laid: number; proven: number }> {
  const scope = new Scope(`speed ${mode.name}`)
  const workDir = mkdtempSync(join(tmpdir(), 'dpb-speed-'))
  scope.defer('folder', () => rmSync(workDir, { recursive: true, force: true }))
  const log = { step() {}, detail() {} }
  try {
    const began = performance.now()
    const request = { runId: `speed-${process.pid}`, placement: 'cross-node', workDir, seed: 1 } as const
    const bed = await provider.open(request, scope, log)
    const opened = performance.now()
    const path = await mode.lay(bed, scope, log)
    const laid = performance.now()
    const broken = path.standing(await path.observe()).filter(({ holds }) => !holds)
    if (broken[0]) throw new Error(`${mode.name} does not stand: ${broken[0].claim}: ${broken[0].evidence}`)
    return { laid: (laid - opened) / 1000, proven: (performance.now() - began) / 1000 }
  } finally {
    await scope.close()
  }
}

async function laying(): Promise<Figure[]> {
  const { default: local } = await import('../../clusters/providers/local/provider.ts')
  const { modes } = await import('../../clusters/datapaths/index.ts')
  const figures: Figure[] = []
  let all = 0
  for (const mode of modes.filter(({ name }) => modeNames.includes(name))) {
    const { laid, proven } = await layOnce(local, mode)
    all += proven
    figures.push({ what: `${mode.name} laid`, value: laid, target: targets.oneModeSeconds, unit: 's' })
  }
  const what = 'all modes: testbed, laid, proven'
  return [...figures, { what, value: all, target: targets.allModesSeconds, unit: 's' }]
}

async function rebuilding(): Promise<Figure[]> {
  const { fixture } = await import('../../reports/testing/fixture.ts')
  const { buildReport } = await import('../../reports/build.ts')
  const shotsOf = (blocks: number): number => new Set(fixture({ blocks }).shots.map(({ shot }) => shot)).size
  const perBlock = shotsOf(2) - shotsOf(1)
  const record = fixture({ blocks: Math.max(1, Math.ceil(targets.reportShots / Math.max(1, perBlock))) })
  const began = performance.now()
  const html = await buildReport(record)
  const seconds = (performance.now() - began) / 1000
  const megabytes = Buffer.byteLength(html) / 1e6
  return [
    {
      what: `report of ${targets.reportShots} shots rebuilt`,
      value: seconds,
      target: targets.reportSeconds,
      unit: 's',
    },
    { what: 'its page', value: megabytes, target: targets.reportMegabytes, unit: 'MB' },
  ]
}

const show = ({ what, value, target, unit }: Figure): string =>
  `${what.padEnd(34)} ${value.toFixed(2).padStart(7)} ${unit.padEnd(2)}  target ${target} ${unit.padEnd(2)}  ratio ${(value / target).toFixed(2)}`

let incomplete = false
for (const [part, measure] of Object.entries({ laying, rebuilding })) {
  try {
    for (const figure of await measure()) process.stdout.write(`${show(figure)}\n`)
  } catch (cause) {
    incomplete = true
    process.stdout.write(`${part}: not measured: ${cause instanceof Error ? cause.message.split('\n')[0] : cause}\n`)
  }
}
const againstWrk = fileURLToPath(new URL('../../native/bench/against-wrk.mjs', import.meta.url))
process.stdout.write('\nnative driver against wrk\n')
if (spawnSync(process.execPath, [againstWrk], { stdio: 'inherit' }).status !== 0) incomplete = true
process.exitCode = incomplete ? 3 : 0
