/**
 * The record: every CSV file of results/<run-id>/, its columns and what they mean. This is the one declaration; the
 * writer, the reader, docs/csv.md and the tests come from it. Changing a meaning raises `schemaVersion`.
 */
export const schemaVersion = 2

export interface Column {
  readonly name: string
  readonly type: 'text' | 'integer' | 'number' | 'boolean'
  readonly about: string
}

// Names stay literal types, so that `Row` knows its fields.
const text = <N extends string>(name: N, about: string) => ({ name, type: 'text', about }) as const satisfies Column
const integer = <N extends string>(name: N, about: string) =>
  ({ name, type: 'integer', about }) as const satisfies Column
const number = <N extends string>(name: N, about: string) => ({ name, type: 'number', about }) as const satisfies Column
const boolean = <N extends string>(name: N, about: string) =>
  ({ name, type: 'boolean', about }) as const satisfies Column

const keys = [
  text('run', 'run id, the name of the results folder'),
  integer('block', 'block number from 1; block 0 is the capacity search and enters no estimate'),
  integer('position', "place of the mode in the block's random order, from 0"),
  text('mode', 'datapath, as in `npm run modes`; a variant ends with its settings: ambient@proxy=tunnel'),
] as const

const shotColumns = [
  ...keys,
  text('provider', 'where the pods live: local, kind, kubeconfig'),
  text('sandbox', 'second kernel around the application: none, uml, qemu …; a stand-in is named as such'),
  text('proxy', 'proxy implementation on the path: none, envoy, tunnel …'),
  text('driver', 'what made the load'),
  text('test', 'latency, capacity, rr, crr, stream'),
  text('loop', 'open: send times planned before the run; closed: next request after the answer'),
  text('protocol', 'http (HTTP/1.1) or tcp (raw bytes)'),
  number('rate', 'planned requests per second; empty in a closed loop'),
  integer('connections', 'concurrent client connections'),
  integer('payload_bytes', 'payload of one request, and of its answer'),
  text('metric', 'name of the metric, see the metrics table'),
  text('unit', 'unit of the value'),
  number('value', 'the value'),
  text('verdict', 'valid or void; checks.csv says why'),
  text('shot', 'shot id: joins the files of a run, names the histograms in hist/'),
  text('direction', 'stream: up (client to server) or down; else both'),
  number(
    'load_percent',
    "rate as a share of the weakest mode's capacity; empty if the rate was given or the loop is closed",
  ),
  text('placement', 'cross-node or same-node'),
  text('sandboxed', 'which applications are in the sandbox: none, client, server, both'),
  text('bypassed', 'why this traffic went past the mesh that it seems to belong to; empty where it did not'),
] as const

const shotKey = text('shot', 'shot id')

export const tables = {
  shots: { file: 'shots.csv', about: 'one row per shot and metric', columns: shotColumns },
  samples: {
    file: 'samples.csv',
    about: 'what the collectors read over the measured window, one row per component and metric',
    columns: [
      ...keys,
      shotKey,
      text('component', 'process group, kernel stack or host'),
      text('role', 'client, server, proxy, sandbox, probe, stack or host'),
      text('metric', 'cpu_seconds, memory_bytes, tcp_segments_in …'),
      text('unit', 'unit of the value'),
      number('value', 'the value'),
      text('source', 'where it was read: cgroup-v1, cgroup-v2, proc, proc-stat, proc-net-snmp'),
    ],
  },
  facts: {
    file: 'facts.csv',
    about: 'what was claimed about the path, and whether it held',
    columns: [
      ...keys,
      text('when', 'before or after the shot'),
      text('claim', 'the claim, in words'),
      boolean('holds', 'true or false; one false fact voids the shot'),
      text('evidence', 'numbers or lines the judgement rests on'),
      shotKey,
    ],
  },
  checks: {
    file: 'checks.csv',
    about: 'validity rules applied to each shot',
    columns: [
      ...keys,
      shotKey,
      text('code', 'rule, see docs/methodology.md'),
      boolean('passed', 'true or false'),
      text('severity', 'void: a failure voids the shot; note: it is only said'),
      text('limit', 'what was allowed'),
      text('actual', 'what was seen'),
      text('remedy', 'what to do about a failure'),
    ],
  },
  hops: {
    file: 'hops.csv',
    about: 'change of each counter of the path picture over one shot, warm-up included',
    columns: [
      ...keys,
      shotKey,
      text('hop', "hop id in the mode's path picture (manifest.json)"),
      text('counter', 'counter key'),
      text('label', 'what is counted'),
      text('unit', 'connections, packets, bytes, requests, segments, handshakes'),
      number('value', 'change over the shot'),
    ],
  },
} as const satisfies Record<string, { file: string; about: string; columns: readonly Column[] }>

export type TableName = keyof typeof tables

type Value<T extends Column['type']> = T extends 'text' ? string : T extends 'boolean' ? boolean : number | null
/** A parsed row of a table: numbers and integers are null where the cell is empty. */
export type Row<T extends TableName> = {
  readonly [C in (typeof tables)[T]['columns'][number] as C['name']]: Value<C['type']>
}

/** Every metric that may stand in shots.csv. `better` tells charts and gates which way is good. */
export const metrics = {
  latency_p50: {
    unit: 'ns',
    better: 'less',
    about: 'median of answer minus planned send time (open loop) or send time (closed loop)',
  },
  latency_p90: { unit: 'ns', better: 'less', about: '90th percentile of the same' },
  latency_p99: {
    unit: 'ns',
    better: 'less',
    about: '99th percentile; left out with fewer than 100 samples beyond it, or where the driver itself was late',
  },
  latency_p999: { unit: 'ns', better: 'less', about: '99.9th percentile; left out by the same rules' },
  service_p50: { unit: 'ns', better: 'less', about: 'median of answer minus actual send time' },
  service_p90: { unit: 'ns', better: 'less', about: '90th percentile of the same' },
  service_p99: { unit: 'ns', better: 'less', about: '99th percentile of the same' },
  service_p999: { unit: 'ns', better: 'less', about: '99.9th percentile of the same' },
  lateness_p50: { unit: 'ns', better: 'less', about: 'median of actual minus planned send time on an idle connection' },
  lateness_p90: { unit: 'ns', better: 'less', about: '90th percentile of the same' },
  lateness_p99: { unit: 'ns', better: 'less', about: '99th percentile of the same' },
  lateness_p999: { unit: 'ns', better: 'less', about: '99.9th percentile of the same' },
  throughput: { unit: 'requests/s', better: 'more', about: 'answered requests per second of the window' },
  connections_per_second: {
    unit: 'connections/s',
    better: 'more',
    about: 'connections opened, used once and closed, per second',
  },
  stream_up: { unit: 'bit/s', better: 'more', about: 'payload that arrived at the server' },
  stream_down: { unit: 'bit/s', better: 'more', about: 'payload that arrived at the client' },
  cpu_per_request: {
    unit: 's',
    better: 'less',
    about:
      'CPU of all components and the kernel, without the driver, per request; a driver inside a sandbox is counted with it, without its waiting spin',
  },
  cpu_per_byte: { unit: 's', better: 'less', about: 'the same per payload byte (stream)' },
  memory: {
    unit: 'bytes',
    better: 'less',
    about: 'resident memory of all proxies on the path at the end of the window',
  },
  tcp_segments: {
    unit: 'segments',
    better: 'less',
    about: 'TCP segments in and out of all stacks on the path, per request (stream: per MiB)',
  },
  error_rate: { unit: 'ratio', better: 'less', about: 'failed requests over planned' },
  requests: { unit: 'requests', better: 'more', about: 'requests answered in the window' },
  record_rows: {
    unit: 'rows',
    better: 'more',
    about: 'rows of this shot in the other files; written last: a shot without it is not complete',
  },
} as const

export type MetricName = keyof typeof metrics
