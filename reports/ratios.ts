/** One run as a table of ratios in Markdown: every closed-loop cell and metric, each mode against its yardstick. */
import { type ByBlock, pairedRatio } from '../harness/stats/paired.ts'
import type { MetricName } from '../results/columns.ts'
import { type Analysis, byBlock, type CellView, type ModeView, shotsOf } from './analysis.ts'
import { caveats } from './caveats.ts'
import { samplesByShot } from './components.ts'
import { significant } from './format.ts'

interface Question {
  readonly title: string
  readonly tests: readonly string[]
  readonly metric: MetricName | 'client_node_cpu'
}

/** Rows of the table, for every cell of these tests. */
const questions: readonly Question[] = [
  { title: 'p50', tests: ['rr', 'capacity'], metric: 'latency_p50' },
  { title: 'requests/s', tests: ['rr', 'capacity'], metric: 'throughput' },
  { title: 'CPU per request', tests: ['rr', 'capacity'], metric: 'cpu_per_request' },
  { title: 'client node’s data path, CPU per request', tests: ['rr', 'capacity'], metric: 'client_node_cpu' },
  { title: 'new connections/s', tests: ['crr'], metric: 'connections_per_second' },
  { title: 'stream up', tests: ['stream'], metric: 'stream_up' },
  { title: 'stream down', tests: ['stream'], metric: 'stream_down' },
]

/** Components between the application and the wire on the client's node: proxy and device, not the application or its kernel. */
const isClientNodePath = (component: string, role: string): boolean =>
  role === 'proxy' && /^(n1|client)\b/.test(component)

function clientNodeCpu(run: Analysis, mode: string, cell: CellView): ByBlock {
  const samples = samplesByShot(run)
  const values = new Map<number, number>()
  for (const shot of shotsOf(run, mode, cell)) {
    const requests = shot.values.get('requests') ?? 0
    const rows = (samples.get(shot.id) ?? []).filter(
      ({ metric, component, role }) => metric === 'cpu_seconds' && isClientNodePath(component, role),
    )
    if (shot.valid && requests > 0 && rows.length > 0)
      values.set(shot.block, rows.reduce((sum, { value }) => sum + (value ?? 0), 0) / requests)
  }
  return values
}

const valuesOf = (run: Analysis, mode: string, cell: CellView, { metric }: Question): ByBlock =>
  metric === 'client_node_cpu' ? clientNodeCpu(run, mode, cell) : byBlock(run, mode, cell, metric)

const cellTitle = ({ test, protocol, connections }: CellView): string =>
  `${test === 'stream' ? 'stream' : protocol.toUpperCase()}, ${connections} connection${connections === 1 ? '' : 's'}`

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

/** `0.70 (0.66–0.74)`; below five blocks the range of what was seen, as everywhere. */
function ratioCell(subject: ByBlock, reference: ByBlock): string {
  const ratio = pairedRatio(subject, reference)
  if (!ratio) return '–'
  const digits = (value: number): string => significant(value, value < 1 ? 2 : 3)
  return ratio.n === 1 ? digits(ratio.centre) : `${digits(ratio.centre)} (${digits(ratio.low)}–${digits(ratio.high)})`
}

export interface Ratios {
  readonly markdown: string
  /** Whether any ratio could be formed. */
  readonly found: boolean
}

/** The table; `against` names one yardstick for all modes, else each mode has its own. */
export function ratios(run: Analysis, against?: string): Ratios {
  const yardstick = (mode: ModeView): string => against ?? mode.comparedWith
  const subjects = run.modes.filter(
    (mode) => yardstick(mode) !== mode.name && run.modes.some(({ name }) => name === yardstick(mode)),
  )
  const rows = questions.flatMap((question) =>
    run.cells
      .filter(
        ({ test, direction }) =>
          question.tests.includes(test) && (test !== 'stream' || question.metric === `stream_${direction}`),
      )
      .map((cell) => [
        `${question.title} (${cellTitle(cell)})`,
        ...subjects.map((mode) =>
          ratioCell(valuesOf(run, mode.name, cell, question), valuesOf(run, yardstick(mode), cell, question)),
        ),
      ]),
  )
  const told = rows.filter((row) => row.slice(1).some((cell) => cell !== '–'))
  const blocks = new Set(run.shots.filter(({ block }) => block > 0).map(({ block }) => block)).size
  const { manifest } = run.record
  const notes = [
    `Ratios of one interleaved run, paired by block (${blocks} blocks; in brackets the 95 % interval, below five blocks the range): \`${manifest.command}\`, ${manifest.host.cpuModel}, ${manifest.host.cpus} CPUs, ${manifest.startedAt.slice(0, 10)}.`,
    ...caveats(run),
  ]
  const markdown = [
    line(['', ...subjects.map((mode) => `\`${mode.name}\` ÷ \`${yardstick(mode)}\``)]),
    line(['---', ...subjects.map(() => '---')]),
    ...told.map(line),
    '',
    notes.join(' '),
    '',
  ].join('\n')
  return { markdown, found: told.length > 0 }
}
