/** What a path reads to prove itself: small probes, put together into one observation. Nothing is judged here. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { Observation, Place, Stack } from '../../harness/contracts.ts'
import type { Envoy } from '../envoy/envoy.ts'
import { readRules } from '../netfilter/netfilter.ts'
import type { RuleSet } from '../netfilter/rule-set.ts'
import { countersById, differences } from '../netfilter/saved-rules.ts'
import type { LocalBed } from '../providers/local/bed.ts'

export type Probe = () => Promise<Partial<Observation>>

/** Runs all probes at once and joins what they saw. */
export async function observeAll(probes: readonly Probe[]): Promise<Observation> {
  const seen = await Promise.all(probes.map((probe) => probe()))
  return {
    counters: Object.assign({}, ...seen.map((part) => part.counters)),
    states: Object.assign({}, ...seen.map((part) => part.states)),
  }
}

const prefixed = (prefix: string, counters: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(counters).map(([key, value]) => [`${prefix}.${key}`, value]))

/** Rule counters as `<prefix>.<rule id>`, and state `<prefix>.rules`: empty, or how the rules differ from the set. */
export const rulesProbe =
  (prefix: string, place: Place, set: RuleSet): Probe =>
  async () => {
    const saved = await readRules(place)
    return {
      counters: prefixed(prefix, countersById(set, saved)),
      states: { [`${prefix}.rules`]: differences(set, saved).join('; ') },
    }
  }

/** `<prefix>.anyRule`: packets (nat: connections) counted by all rules of a namespace, whichever they are. */
export const anyRuleProbe =
  (prefix: string, place: Place): Probe =>
  async () => {
    const saved = await readRules(place)
    return { counters: { [`${prefix}.anyRule`]: saved.reduce((sum, { packets }) => sum + packets, 0) } }
  }

/** State `<prefix>.rules` of a namespace that must hold none: the rules found. */
export const noRulesProbe =
  (prefix: string, place: Place): Probe =>
  async () => ({ states: { [`${prefix}.rules`]: (await readRules(place)).map((rule) => rule.spec).join('; ') } })

/** `echo.connections|requests|bytesReceived|bytesSent`, and state `echo.peers`: source addresses seen so far. */
export const echoProbe =
  (bed: LocalBed): Probe =>
  async () => {
    if (!bed.echo.proc.alive) return { states: { 'echo.alive': 'no' } }
    const { connections, requests, bytesReceived, bytesSent, peers } = await bed.echo.stats()
    return {
      counters: prefixed('echo', { connections, requests, bytesReceived, bytesSent }),
      states: { 'echo.alive': 'yes', 'echo.peers': Object.keys(peers).sort().join(' ') },
    }
  }

/** `wire.tcp|plaintext|hbone|other`: packets between the pods, both directions. */
export const wireProbe =
  (bed: LocalBed): Probe =>
  async () => {
    return { counters: prefixed('wire', { ...(await bed.wire()) }) }
  }

/** Number after a word in a two-line table of /proc/PID/net/snmp. */
function snmp(pid: number, protocol: string, field: string): number {
  const [names = '', values = ''] = readFileSync(`/proc/${pid}/net/snmp`, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`${protocol}:`))
  return Number(values.split(' ')[names.split(' ').indexOf(field)])
}

/** `segments.<stack>`: TCP segments into and out of each namespace (RFC 4022 tcpInSegs, tcpOutSegs). */
export const segmentsProbe =
  (stacks: readonly Stack[]): Probe =>
  async () => ({
    counters: Object.fromEntries(
      stacks.map(({ name, pid }) => [`segments.${name}`, snmp(pid, 'Tcp', 'InSegs') + snmp(pid, 'Tcp', 'OutSegs')]),
    ),
  })

const escaped = (name: string): string => name.replaceAll(/[.|^$*+?()[\]{}\\]/g, '\\$&')

/** Sums of Envoy's statistics as `<prefix>.<key>`; a statistic that Envoy has not made yet counts 0. */
export const envoyProbe = (prefix: string, envoy: Envoy, sums: Readonly<Record<string, readonly string[]>>): Probe => {
  const filter = `^(${Object.values(sums).flat().map(escaped).join('|')})$`
  const { version, buildType, concurrency, logLevel } = envoy.info
  return async () => {
    const stats = await envoy.stats(filter).catch(() => undefined)
    if (!stats || !envoy.proc.alive) return { states: { [`${prefix}.software`]: 'not running' } }
    return {
      counters: Object.fromEntries(
        Object.entries(sums).map(([key, names]) => [
          `${prefix}.${key}`,
          names.reduce((sum, name) => sum + (stats.get(name) ?? 0), 0),
        ]),
      ),
      states: { [`${prefix}.software`]: `envoy ${version} ${buildType}, concurrency ${concurrency}, log ${logLevel}` },
    }
  }
}

interface SocketRow {
  readonly port: number
  readonly listening: boolean
  /** Closed, and kept by the kernel for late packets: nobody's any more. */
  readonly over: boolean
  readonly uid: number
  readonly inode: string
}

/** Rows of /proc/PID/net/tcp (kernel doc proc_net_tcp): state 0A is LISTEN, 06 TIME_WAIT without an owner. */
const parseSockets = (text: string): SocketRow[] =>
  text
    .split('\n')
    .slice(1)
    .filter(Boolean)
    .map((line) => {
      const fields = line.trim().split(/\s+/)
      return {
        port: Number.parseInt(fields[1]?.split(':')[1] ?? '', 16),
        listening: fields[3] === '0A',
        over: fields[3] === '06',
        uid: Number(fields[7]),
        inode: fields[9] ?? '',
      }
    })

const tcpSockets = (pid: number): SocketRow[] =>
  ['tcp', 'tcp6'].flatMap((table) => parseSockets(readFileSync(`/proc/${pid}/net/${table}`, 'utf8')))

/** State `<prefix>.listeners`, where only a socket's user can be told: `held` if this user listens on all the ports. */
export const listenersOfUser =
  (prefix: string, sockets: () => Promise<string>, uid: number, ports: readonly number[]): Probe =>
  async () => {
    const text = await sockets().catch(() => '')
    const holds = (port: number): boolean =>
      parseSockets(text).some((row) => row.listening && row.port === port && row.uid === uid)
    const missing = ports.filter((port) => !holds(port))
    const state = missing.length === 0 ? 'held' : `user ${uid} does not listen on ${missing.join(', ')}`
    return { states: { [`${prefix}.listeners`]: state } }
  }

function ownsSocket(pid: number, inodes: ReadonlySet<string>): boolean {
  const held = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? []
      } catch {
        return [] // closed while we looked
      }
    }),
  )
  return [...inodes].every((inode) => held.has(inode))
}

/** State `<prefix>.listeners`: `held` if exactly this process listens on the ports in the pod, else what is wrong. */
export const listenersProbe =
  (prefix: string, stack: Stack, pid: () => number, ports: readonly number[]): Probe =>
  async () => {
    const listening = tcpSockets(stack.pid).filter((row) => row.listening && ports.includes(row.port))
    const missing = ports.filter((port) => !listening.some((row) => row.port === port))
    const owned = listening.length > 0 && isOwner(pid(), listening)
    const state =
      missing.length > 0 ? `nobody listens on ${missing.join(', ')}` : owned ? 'held' : 'held by another process'
    return { states: { [`${prefix}.listeners`]: state } }
  }

function isOwner(pid: number, rows: readonly SocketRow[]): boolean {
  try {
    return ownsSocket(pid, new Set(rows.map((row) => row.inode)))
  } catch {
    return false // the process has ended
  }
}

/** `<prefix>.sockets`: TCP sockets in a namespace, whoever holds them; not what is only in TIME_WAIT. */
export const socketCountProbe =
  (prefix: string, stack: Stack): Probe =>
  async () => ({ counters: { [`${prefix}.sockets`]: tcpSockets(stack.pid).filter(({ over }) => !over).length } })
