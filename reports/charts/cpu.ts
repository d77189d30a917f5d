import { cellsOf } from '../analysis.ts'
import { cellLabel } from '../chart.ts'
import { cpuParts } from '../components.ts'
import { stacked } from '../stacked.ts'

export default stacked({
  name: 'cpu',
  title: 'How much CPU does a request cost, and who spends it?',
  question: 'CPU per answered request at the same rate for every mode: processes and the kernel, without the driver.',
  caption:
    'Means over the valid shots. «kernel» is what the host was busy with beyond the processes counted: interrupts, soft interrupts, forwarding, iptables. Many kernels charge these to whichever process they interrupt: then they stand in the processes, and «kernel» is 0 or little. Less is better.',
  order: 3,
  parts: (run) => cellsOf(run, 'latency').flatMap((cell) => cpuParts(run, cell)),
  label: (run, part) => cellLabel(part.cell, cellsOf(run, 'latency')),
  quantity: 's',
  axis: { unit: 'µs of CPU per request', factor: 1e-6 },
})
