/**
 * The shapes of datapath-bench. Everything that is plugged in (provider, mode, driver, collector, check, chart)
 * has its shape here and nowhere else; docs/glossary.md fixes the words.
 */
import type { Proc } from './process.ts'
import type { Scope } from './scope.ts'

/** Whether something can run here; `because` says why not, `remedy` what to do about it. */
export type Availability =
  | { readonly ok: true }
  | { readonly ok: false; readonly because: string; readonly remedy: string }

/** Progress for people (stderr) and machines (JSON lines); never a result. */
export interface Log {
  step(message: string): void
  detail(message: string): void
}

// ---------------------------------------------------------------- what to run

/** What is asked of a driver: `latency` is open loop, all others closed loop. */
export type TestName = 'latency' | 'capacity' | 'rr' | 'crr' | 'stream'
export type Loop = 'open' | 'closed'
export type Protocol = 'http' | 'tcp'
/** `stream` runs as two cells, one each way; every other test has `both`. */
export type Direction = 'both' | 'up' | 'down'

/** One combination of test and load; every mode gets the same cells. */
export interface Cell {
  readonly test: TestName
  readonly loop: Loop
  readonly protocol: Protocol
  readonly direction: Direction
  /** HTTP only: a new connection for every request (`crr` over HTTP). */
  readonly newConnections: boolean
  /** Planned requests per second; null in a closed loop. */
  readonly ratePerSecond: number | null
  /** Share of the weakest mode's capacity that the rate was derived from, in percent; null if the rate was given. */
  readonly loadPercent: number | null
  readonly connections: number
  readonly payloadBytes: number
  readonly warmupSeconds: number
  readonly durationSeconds: number
}

/** One planned shot: a cell fired against one mode in one block. Block 0 is the capacity search. */
export interface PlannedShot {
  /** Stable name, e.g. `b03-ambient-latency-http-r4000-c16-p64`; file name of its histograms. */
  readonly id: string
  readonly block: number
  /** Place of the mode in the block's random order, from 0. */
  readonly position: number
  readonly mode: string
  readonly cell: Cell
  /** Seeds the plan of send times: the same for all modes of one block and cell. */
  readonly seed: number
}

// ---------------------------------------------------------------- where it runs

/** Where a process of the run lives: spawns into it, with its namespaces, cgroup and pinning applied. */
export interface Place {
  readonly name: string
  /**
   * How long before a send time a driver in this place may watch the clock, in µs; left out, the driver's own default. A
   * guest's timers wake later than the host's.
   */
  readonly spinUs?: number
  spawn(spec: SpawnSpec): Promise<Proc>
  /** Runs a short command inside and returns its standard output; throws CommandError. */
  run(argv: readonly string[], input?: string): Promise<string>
}

/** Which CPUs a process may use: the driver has its own, everything of the datapath shares the others. */
export type Pin = 'driver' | 'datapath' | 'none'

export interface SpawnSpec {
  /** Component the process is counted under (samples.csv `component`). */
  readonly component: string
  readonly role: ComponentRole
  readonly argv: readonly string[]
  readonly pin: Pin
  readonly env?: Readonly<Record<string, string>>
  /** Run as this uid and gid (default: as the harness, i.e. root). */
  readonly uid?: number
  /**
   * A command that prepares what only root can, in the place's namespaces and before the user is changed: it becomes the
   * command that follows it (`exec "$@"`).
   */
  readonly prepare?: readonly string[]
  /** The process has said that it is ready when a line of stdout or stderr matches. */
  readonly ready?: RegExp
  readonly readyTimeoutMs?: number
  /** Called for each full line of stdout. */
  readonly onLine?: (line: string) => void
  readonly signal?: AbortSignal
}

export type ComponentRole = 'client' | 'server' | 'proxy' | 'sandbox' | 'probe'

/** A group of processes whose CPU and memory are counted together. */
export interface Component {
  readonly name: string
  readonly role: ComponentRole
  /** Live processes, descendants included. */
  pids(): readonly number[]
  /** Cumulative CPU seconds since the component began, and where the number comes from. */
  cpu(): Promise<{ readonly seconds: number; readonly source: 'cgroup-v1' | 'cgroup-v2' | 'proc' }>
}

/** Kernel network stack of one namespace, readable without entering it. */
export interface Stack {
  readonly name: string
  /** Any live process in the namespace: /proc/PID/net/* shows its counters. */
  readonly pid: number
}

export interface Provider<Bed extends Testbed = Testbed> {
  readonly name: string
  readonly about: string
  available(): Promise<Availability>
  /** Lays a fresh testbed (nodes, pods, echo server); everything it makes is undone by `scope`. */
  open(request: BedRequest, scope: Scope, log: Log): Promise<Bed>
  /** Removes what dead runs left behind; returns one line for each thing removed. */
  clean(log: Log): Promise<readonly string[]>
}

export type Placement = 'cross-node' | 'same-node'

export interface BedRequest {
  readonly runId: string
  readonly placement: Placement
  /** Folder for logs, sockets, keys and generated configuration of this visit; removed with the scope unless kept. */
  readonly workDir: string
  /** Seeds what must not matter: environment padding, start order. */
  readonly seed: number
}

/** An open provider. Modes narrow it to their provider's own bed type. */
export interface Testbed {
  readonly provider: string
  readonly placement: Placement
  readonly client: Place
  readonly components: readonly Component[]
  readonly stacks: readonly Stack[]
}

// ---------------------------------------------------------------- which way it goes

/** What a mode can be varied by: `--mode ambient@proxy=tunnel`, or for every mode that knows it `--proxy tunnel`. */
export type SettingName = 'proxy' | 'sandboxed' | 'tsi'
/** Choices of each setting; the first is what the plain mode has. */
export type Settings = Readonly<Partial<Record<SettingName, readonly [string, ...string[]]>>>
export type Chosen = Readonly<Partial<Record<SettingName, string>>>
/** Which applications are in a sandbox. */
export type Sandboxed = 'none' | 'client' | 'server' | 'both'

/** A datapath. File name = registry name = CSV value = CLI value; a variant's name ends with its settings. */
export interface Mode {
  readonly name: string
  /** One line: what stands between the applications. */
  readonly about: string
  /** Providers it can be laid on. */
  readonly runsOn: readonly string[]
  /** What it costs is compared with this mode (its own name for the baseline itself). */
  readonly comparedWith: string
  /** Left out by a mode that has one form only. */
  readonly settings?: Settings
  /** `chosen` holds every setting of the mode. */
  available(provider: string, chosen?: Chosen): Promise<Availability>
  lay(bed: Testbed, scope: Scope, log: Log, chosen?: Chosen): Promise<Path>
}

export interface Target {
  readonly host: string
  readonly httpPort: number
  /** Port of the raw TCP protocol (native/wire): echo, sink and source by preamble. */
  readonly tcpPort: number
}

/** A mode laid on a testbed. */
export interface Path {
  readonly mode: string
  /** CSV column `proxy`: `none`, `envoy`, `tunnel`. */
  readonly proxy: string
  /** CSV column `sandbox`: `none`, `uml`, `qemu`. */
  readonly sandbox: string
  /** CSV column `sandboxed`; left out: none. */
  readonly sandboxed?: Sandboxed
  /**
   * Why traffic of this mode goes past the mesh although it looks enrolled, where that is what the mode shows: the facts
   * prove it, and every row and page says `bypassed` beside its numbers.
   */
  readonly bypassed?: string
  readonly target: Target
  readonly client: Place
  readonly components: readonly Component[]
  readonly stacks: readonly Stack[]
  /** Facts about the software on the way: version, build type, concurrency, log level … */
  readonly versions: Readonly<Record<string, string>>
  readonly picture: PathPicture
  /** Reads every counter and state that the facts and the picture need; nothing is judged here. */
  observe(): Promise<Observation>
  /** Judges how the path stands (pure): rules as written, proxies alive and as claimed. */
  standing(now: Observation): readonly Fact[]
  /** Judges which way the traffic of one firing went (pure), from the counters before and after it. */
  travelled(before: Observation, after: Observation, traffic: Traffic): readonly Fact[]
}

/** Cumulative counters and states of a laid path, by key. Keys are the mode's own; the picture refers to them. */
export interface Observation {
  readonly counters: Readonly<Record<string, number>>
  readonly states: Readonly<Record<string, string>>
}

/** What the driver says it sent during a whole firing, warm-up included; null where a driver cannot tell. */
export interface Traffic {
  readonly test: TestName
  readonly protocol: Protocol
  readonly connections: number | null
  readonly requests: number | null
  /** Application bytes written and read by the driver, HTTP heads included. */
  readonly bytesSent: number | null
  readonly bytesReceived: number | null
}

export interface Fact {
  readonly claim: string
  readonly holds: boolean
  /** The numbers or lines that the judgement rests on. */
  readonly evidence: string
}

// ---------------------------------------------------------------- the path picture

export type HopKind = 'application' | 'stack' | 'chain' | 'rule' | 'proxy' | 'wire' | 'device'
export type Carries = 'plaintext' | 'mtls' | 'hbone' | 'vsock' | 'memory'

export interface Hop {
  readonly id: string
  /** One of the picture's lanes. */
  readonly lane: string
  readonly kind: HopKind
  readonly label: string
  /** Rule text, listener, tunnel parameters … */
  readonly detail?: string
  /** Counters of the observation shown at this hop, as their change over a shot. */
  readonly counters: readonly HopCounter[]
}

export interface HopCounter {
  readonly key: string
  readonly label: string
  readonly unit: 'connections' | 'packets' | 'bytes' | 'requests' | 'segments' | 'handshakes'
}

/** The way of a request, as data: drawn by reports/path-picture.ts, stored in manifest.json. */
export interface PathPicture {
  /** From left to right, e.g. client pod, client node, underlay, server node, server pod. */
  readonly lanes: readonly string[]
  /** In the order a request passes them. */
  readonly hops: readonly Hop[]
  readonly links: readonly {
    readonly from: string
    readonly to: string
    readonly carries: Carries
    readonly label?: string
  }[]
}

// ---------------------------------------------------------------- what drives it

export interface Driver {
  readonly name: string
  readonly about: string
  available(): Promise<Availability>
  /** Whether this driver can fire such a cell (pure). */
  supports(cell: Cell): Availability
  fire(
    path: Pick<Path, 'target' | 'client'>,
    shot: Pick<PlannedShot, 'cell' | 'seed'>,
    hooks: FireHooks,
  ): Promise<Firing>
}

export interface FireHooks {
  readonly signal: AbortSignal
  /** The measured window begins (warm-up is over) and ends: collectors read at these moments. */
  measuring(): void
  measured(): void
}

/** What a driver brings back from one firing. Counts are of the measured window unless said otherwise. */
export interface Firing {
  readonly planned: number
  readonly sent: number
  readonly done: number
  /** Failed requests by kind (`connect-refused`, `timeout`, `status-503`, `reset`, `unsent` …). */
  readonly errors: Readonly<Record<string, number>>
  readonly wallSeconds: number
  /** HDR histograms in ns, V2 compressed encoding, base64; null where the driver has none. */
  readonly latencyHdr: string | null
  readonly serviceHdr: string | null
  readonly latenessHdr: string | null
  /** Payload bytes that arrived at the far end in the window (`stream`), else 0. */
  readonly streamBytes: number
  /** Connections opened and closed in the window (`crr`), else 0. */
  readonly connectionsDone: number
  /** Driver's CPU in the window, and how much of it was spent waiting in a spin for the next send time. */
  readonly cpuSeconds: number | null
  readonly spinSeconds: number
  /** Median latency in ns of consecutive slices of the whole firing, for warm-up detection. */
  readonly slices: { readonly sliceMs: number; readonly p50Ns: readonly number[] }
  /** Of the whole firing, warm-up included: what proof of path compares counters with. */
  readonly traffic: Pick<Traffic, 'connections' | 'requests' | 'bytesSent' | 'bytesReceived'>
  readonly driverVersion: string
}

// ---------------------------------------------------------------- what was seen

/** One collected number of one component (or `host`, or a stack). */
export interface Sample {
  readonly component: string
  readonly role: ComponentRole | 'host' | 'stack'
  readonly metric: string
  readonly unit: string
  readonly value: number
  /** Where it was read: `cgroup-v1`, `proc-stat`, `proc-net-snmp` … */
  readonly source: string
}

export interface Collector {
  readonly name: string
  readonly about: string
  /** Called before the driver begins: what takes long is read here, beside nothing that is measured. */
  start(path: Path): Promise<Collecting>
}

export interface Collecting {
  /** The measured window begins: only quick reads, for the driver is at work. */
  window(): Promise<void>
  /** The window has ended: samples over it. */
  stop(): Promise<readonly Sample[]>
}

/** One metric of one shot: name from results/columns.ts. */
export interface Measurement {
  readonly metric: string
  readonly unit: string
  readonly value: number
}

// ---------------------------------------------------------------- what it means

export type CheckCode =
  | 'not-attested'
  | 'rate-not-held'
  | 'late-sends'
  | 'client-busy'
  | 'errors'
  | 'never-settled'
  | 'tail-too-small'
  | 'host-pressure'
  | 'host-steal'
  | 'host-slowed'
  | 'throttled'
  | 'driver-floor'
  | 'driver-died'

/** Outcome of one validity rule on one shot. A failed `void` rule voids the shot; a `note` only says so. */
export interface CheckResult {
  readonly code: CheckCode
  readonly passed: boolean
  readonly severity: 'void' | 'note'
  readonly limit: string
  readonly actual: string
  readonly remedy: string
}

/** Everything known about a shot when the checks look at it. */
export interface ShotEvidence {
  readonly planned: PlannedShot
  readonly firing: Firing
  readonly facts: readonly Fact[]
  readonly samples: readonly Sample[]
  readonly measurements: readonly Measurement[]
  readonly weather: Weather
}

/** State of the host around a shot. */
export interface Weather {
  /** Share of the window's CPU time stolen by the hypervisor, and used by processes that are not the run's. */
  readonly stealShare: number
  readonly foreignShare: number
  /** What one tick of the kernel's CPU accounting is in this window: no smaller share can be told from none. */
  readonly tickShare: number
  /** PSI `some avg10` of cpu before the block, percent; null where the kernel has none. */
  readonly cpuPressurePercent: number | null
  /** Slowest core's spin test against the run's first, as a ratio (1.0 = as fast). */
  readonly spinRatio: number
  readonly throttledSeconds: number | null
  /** p50 of the driver against an echo in its own namespace, ns; null before it is known. */
  readonly driverFloorNs: number | null
}

export interface Check {
  readonly code: CheckCode
  readonly about: string
  judge(shot: ShotEvidence): CheckResult
}

/** One chart: a question answered by rows of a record; returns a Vega-Lite spec, draws nothing. */
export interface Chart<Run = unknown> {
  readonly name: string
  readonly title: string
  readonly question: string
  /** null when the record holds nothing for it. */
  spec(run: Run): object | null
}
