/** The metrics of a shot, from what the driver brought back and the collectors read. Pure. */
import { decodeFromCompressedBase64 } from 'hdr-histogram-js'
import { type MetricName, metrics } from '../results/columns.ts'
import { latenessLimitNs, type Percentile } from './checks/late-sends.ts'
import { limits } from './checks/limits.ts'
import type { Cell, Firing, Measurement, Sample } from './contracts.ts'

const percentiles: readonly (readonly [Percentile, number])[] = [
  ['p50', 50],
  ['p90', 90],
  ['p99', 99],
  ['p999', 99.9],
]

type Tail = readonly (readonly [Percentile, number])[]

/** Percentiles of a histogram that have enough samples beyond them; the median always stands. */
function tail(encoded: string | null): Tail {
  if (encoded === null) return []
  const histogram = decodeFromCompressedBase64(encoded)
  const total = histogram.totalCount
  if (total === 0) return []
  return percentiles
    .filter(([, percent]) => percent === 50 || total * (1 - percent / 100) >= limits.samplesBeyond - 1e-6)
    .map(([name, percent]) => [name, histogram.getValueAtPercentile(percent)])
}

/** Latency, service time and lateness; a percentile of latency that the driver's own lateness made is left out. */
function times(firing: Firing): [MetricName, number][] {
  const lateness = new Map(tail(firing.latenessHdr))
  const latency = tail(firing.latencyHdr).filter(
    ([name, value]) => name === 'p50' || (lateness.get(name) ?? 0) <= latenessLimitNs(value),
  )
  const named = (kind: 'latency' | 'service' | 'lateness', values: Tail): [MetricName, number][] =>
    values.map(([name, value]) => [`${kind}_${name}`, value])
  return [
    ...named('latency', latency),
    ...named('service', tail(firing.serviceHdr)),
    ...named('lateness', [...lateness]),
  ]
}

const sum = (samples: readonly Sample[], wanted: (sample: Sample) => boolean): number =>
  samples.filter(wanted).reduce((total, sample) => total + sample.value, 0)

/** CPU of the datapath: components and kernel, without the driver and the probes that watch the wire. */
const isDatapathCpu = (sample: Sample): boolean =>
  sample.metric === 'cpu_seconds' && sample.role !== 'client' && sample.role !== 'probe'

function rates(cell: Cell, firing: Firing): [MetricName, number][] {
  if (firing.wallSeconds <= 0) return []
  if (cell.test === 'stream')
    return [[cell.direction === 'up' ? 'stream_up' : 'stream_down', (firing.streamBytes * 8) / firing.wallSeconds]]
  if (cell.test === 'crr') return [['connections_per_second', firing.connectionsDone / firing.wallSeconds]]
  return [['throughput', firing.done / firing.wallSeconds]]
}

export interface Measured {
  readonly cell: Cell
  readonly firing: Firing
  readonly samples: readonly Sample[]
  /** The driver runs in a sandbox, whose CPU is counted whole: only its waiting spin can be taken off. */
  readonly driverInside: boolean
}

function costs({ cell, firing, samples, driverInside }: Measured): [MetricName, number][] {
  const cpu = sum(samples, isDatapathCpu) - (driverInside ? firing.spinSeconds : 0)
  const segments = sum(samples, (sample) => sample.metric === 'tcp_segments_in' || sample.metric === 'tcp_segments_out')
  const work = cell.test === 'stream' ? firing.streamBytes : firing.done
  if (work <= 0 || samples.length === 0) return []
  return cell.test === 'stream'
    ? [
        ['cpu_per_byte', cpu / work],
        ['tcp_segments', segments / (work / 2 ** 20)],
      ]
    : [
        ['cpu_per_request', cpu / work],
        ['tcp_segments', segments / work],
      ]
}

/** All metrics that can be given for this shot. */
export function measure(measured: Measured): Measurement[] {
  const { cell, firing, samples } = measured
  const failed = Object.values(firing.errors).reduce((total, count) => total + count, 0)
  const proxies = samples.filter((sample) => sample.metric === 'memory_bytes' && sample.role === 'proxy')
  const rows: [MetricName, number][] = [
    ...times(firing),
    ...rates(cell, firing),
    ...costs(measured),
    ['memory', sum(proxies, () => true)],
    ['error_rate', failed / Math.max(firing.planned, firing.done + failed, 1)],
    ['requests', firing.done],
  ]
  return rows
    .filter(([, value]) => Number.isFinite(value))
    .map(([metric, value]) => ({ metric, unit: metrics[metric].unit, value }))
}
