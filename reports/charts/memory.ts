import { cellLabel } from '../chart.ts'
import { memoryParts } from '../components.ts'
import { stacked } from '../stacked.ts'

export default stacked({
  name: 'memory',
  title: 'How much memory do the proxies hold?',
  question: 'Resident memory of every proxy on the path at the end of a shot; a mode without a proxy has no bar.',
  caption:
    'Means over the valid shots of one cell. A node proxy serves all pods of its node, a sidecar one pod only: multiply accordingly. Less is better.',
  order: 5,
  parts: (run) => {
    const cell = run.headline ?? run.cells[0]
    return cell ? memoryParts(run, cell) : []
  },
  label: (run, part) =>
    cellLabel(
      part.cell,
      run.cells.filter((cell) => cell.test === part.cell.test),
    ),
  quantity: 'bytes',
  axis: { unit: 'MiB', factor: 2 ** 20 },
})
