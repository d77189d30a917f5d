/** What to run, in which order: cells × modes × blocks. Pure: the same request and rates give the same plan. */
import type { Cell, PlannedShot, Protocol, TestName } from './contracts.ts'
import { BenchError } from './errors.ts'
import {
  overheads,
  type Profile,
  type ProfileName,
  profiles,
  requestsForP99,
  type Span,
  usualConnections,
  usualPayloadBytes,
} from './profiles.ts'
import { hash, shuffled } from './random.ts'

/** What is asked for, after defaults. */
export interface PlanRequest {
  readonly modes: readonly string[]
  readonly profile: ProfileName
  readonly tests?: readonly TestName[] | undefined
  readonly protocol?: Protocol | undefined
  readonly rates?: readonly number[] | undefined
  readonly loads?: readonly number[] | undefined
  readonly connections?: readonly number[] | undefined
  readonly payloads?: readonly number[] | undefined
  readonly durationSeconds?: number | undefined
  readonly blocks?: number | undefined
  readonly seed: number
}

export interface Rate {
  readonly perSecond: number
  readonly loadPercent: number | null
}

export const allTests: readonly TestName[] = ['latency', 'capacity', 'rr', 'crr', 'stream']
const usualProtocol: Readonly<Record<TestName, Protocol>> = {
  latency: 'http',
  capacity: 'http',
  rr: 'tcp',
  crr: 'tcp',
  stream: 'tcp',
}

export const blocksOf = (request: PlanRequest): number => request.blocks ?? profiles[request.profile].blocks
export const loadsOf = (request: PlanRequest): readonly number[] => request.loads ?? profiles[request.profile].loads

function testsOf(request: PlanRequest): readonly TestName[] {
  const { tests, protocol } = request
  if (protocol !== 'http') return tests ?? allTests
  if (tests?.includes('stream'))
    throw new BenchError('usage', '--test stream has no HTTP form', 'leave out --protocol http or stream')
  return (tests ?? allTests).filter((test) => test !== 'stream')
}

/** Whether rates must be found by a capacity search. */
export const needsSearch = (request: PlanRequest): boolean =>
  request.rates === undefined && testsOf(request).includes('latency')

/** Rates of the open-loop cells from the weakest mode's capacity, in whole requests per second. */
export function ratesFrom(loads: readonly number[], capacityPerSecond: number): Rate[] {
  return loads.map((loadPercent) => ({
    perSecond: Math.max(1, Math.round((capacityPerSecond * loadPercent) / 100)),
    loadPercent,
  }))
}

function spanOf(request: PlanRequest, test: TestName, rate: Rate | null): Span {
  const { spans, latencySeconds }: Profile = profiles[request.profile]
  const usual = spans[test]
  return {
    ...usual,
    durationSeconds: request.durationSeconds ?? (rate ? windowFor(rate, latencySeconds) : usual.durationSeconds),
  }
}

/** Stands for the weakest mode's capacity until a search has found it: the length of latency windows depends on it. */
const supposedCapacityPerSecond = 10_000

/** Rates to estimate the time with, before they are known. */
export const supposedRates = (request: PlanRequest): Rate[] =>
  request.rates?.map((perSecond) => ({ perSecond, loadPercent: null })) ??
  ratesFrom(loadsOf(request), supposedCapacityPerSecond)

/** Seconds of a latency window, in tenths. */
function windowFor({ perSecond }: Rate, { least, most }: Profile['latencySeconds']): number {
  const needed = Math.ceil((requestsForP99 / perSecond) * 10) / 10
  return needed > most ? least : Math.max(least, needed)
}

/** Every cell of a block, each once. */
export function cellsOf(request: PlanRequest, rates: readonly Rate[]): Cell[] {
  const cells = testsOf(request).flatMap((test): Cell[] => {
    const protocol = request.protocol ?? usualProtocol[test]
    const loads: readonly (Rate | null)[] = test === 'latency' ? rates : [null]
    const directions = test === 'stream' ? (['up', 'down'] as const) : (['both'] as const)
    const connections = request.connections ?? [usualConnections[test]]
    const payloads = request.payloads ?? [usualPayloadBytes[test]]
    return loads.flatMap((rate) =>
      directions.flatMap((direction) =>
        connections.flatMap((count) =>
          payloads.map((payloadBytes) => ({
            test,
            loop: test === 'latency' ? ('open' as const) : ('closed' as const),
            protocol,
            direction,
            newConnections: test === 'crr' && protocol === 'http',
            ratePerSecond: rate?.perSecond ?? null,
            loadPercent: rate?.loadPercent ?? null,
            connections: count,
            payloadBytes,
            ...spanOf(request, test, rate),
          })),
        ),
      ),
    )
  })
  return [...new Map(cells.map((cell) => [cellName(cell), cell])).values()]
}

/** Capacity cells of block 0: one for each form of the latency cells. */
export function searchCells(request: PlanRequest): Cell[] {
  const forms: PlanRequest = {
    ...request,
    tests: ['capacity'],
    protocol: request.protocol ?? usualProtocol.latency,
    connections: request.connections ?? [usualConnections.latency],
  }
  return cellsOf(forms, []).map((cell) => ({ ...cell, ...profiles[request.profile].search }))
}

/** Name of a cell within its run, e.g. `latency-http-r4000-c16-p64`. */
export function cellName(cell: Cell): string {
  const parts = [
    cell.test,
    cell.protocol,
    cell.direction === 'both' ? '' : cell.direction,
    cell.ratePerSecond === null ? '' : `r${cell.ratePerSecond}`,
    `c${cell.connections}`,
    `p${cell.payloadBytes}`,
  ]
  return parts.filter(Boolean).join('-')
}

/** Shots of one block: modes in seeded random order, cells in one order for all modes, seeded too. */
function blockOf(request: PlanRequest, block: number, cells: readonly Cell[]): PlannedShot[] {
  const modes = shuffled(request.modes, hash(request.seed, 'modes', block))
  const ordered = shuffled(cells, hash(request.seed, 'cells', block))
  return modes.flatMap((mode, position) =>
    ordered.map((cell) => ({
      id: `b${String(block).padStart(2, '0')}-${mode}-${cellName(cell)}`,
      block,
      position,
      mode,
      cell,
      seed: hash(request.seed, 'shot', block, cellName(cell)),
    })),
  )
}

/** Ending of a search shot's id when it is fired again because the host disturbed the first. */
export const again = '-again'

/** Block 0; its second pass has shots of its own. */
export const planSearch = (request: PlanRequest, pass: 1 | 2 = 1): PlannedShot[] =>
  blockOf(request, 0, searchCells(request)).map((shot) => (pass === 1 ? shot : { ...shot, id: `${shot.id}${again}` }))

/** Blocks 1 and on. */
export function planBlocks(request: PlanRequest, cells: readonly Cell[]): PlannedShot[] {
  return Array.from({ length: blocksOf(request) }, (_, index) => blockOf(request, index + 1, cells)).flat()
}

export interface VisitPlan {
  readonly block: number
  readonly mode: string
  readonly shots: readonly PlannedShot[]
}

/** Consecutive shots of one mode in one block: they share a testbed. */
export function visitsOf(shots: readonly PlannedShot[]): VisitPlan[] {
  const visits = new Map<string, PlannedShot[]>()
  for (const shot of shots) {
    const key = `${shot.block} ${shot.mode}`
    const known = visits.get(key)
    if (known) known.push(shot)
    else visits.set(key, [shot])
  }
  return [...visits.values()].map((group) => {
    const { block, mode } = group[0] as PlannedShot
    return { block, mode, shots: group }
  })
}

/** Seconds that these shots will take, laying included. */
export function estimateSeconds(shots: readonly PlannedShot[]): number {
  const visits = visitsOf(shots)
  const firing = shots.reduce(
    (sum, { cell }) => sum + cell.warmupSeconds + cell.durationSeconds + overheads.shotSeconds,
    0,
  )
  const blocks = new Set(visits.map((visit) => visit.block)).size
  return firing + visits.length * overheads.visitSeconds + blocks * overheads.blockSeconds
}
