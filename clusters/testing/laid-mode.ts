/** For tests in real namespaces: lays a mode as a run would, and drives a little traffic with the native driver. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Fact, Log, Mode, Observation, Path, Placement, Traffic } from '../../harness/contracts.ts'
import { nativeTool } from '../../harness/native.ts'
import { Scope } from '../../harness/scope.ts'
import { type LocalBed, localBed } from '../providers/local/bed.ts'
import local from '../providers/local/provider.ts'

export const silent: Log = { step() {}, detail() {} }

export interface LaidMode {
  readonly bed: LocalBed
  readonly path: Path
  readonly scope: Scope
}

/** Lays `mode` on a fresh local testbed; close the scope to take it down. */
export async function layMode(mode: Mode, placement: Placement = 'cross-node'): Promise<LaidMode> {
  const scope = new Scope(`test ${mode.name}`)
  const workDir = mkdtempSync(join(tmpdir(), 'dpb-test-'))
  scope.defer('logs', () => rmSync(workDir, { recursive: true, force: true }))
  try {
    const bed = await local.open({ runId: `test-${process.pid}`, placement, workDir, seed: 1 }, scope, silent)
    return { bed: localBed(bed), path: await mode.lay(bed, scope, silent), scope }
  } catch (cause) {
    await scope.close()
    throw cause
  }
}

export type Load = Pick<Traffic, 'test' | 'protocol'> & { readonly argv: readonly string[] }

/** A short load of each kind that a run fires. */
export const loads: Readonly<Record<string, Load>> = {
  'http capacity': {
    test: 'capacity',
    protocol: 'http',
    argv: ['--test', 'capacity', '--protocol', 'http', '--connections', '8'],
  },
  'http new connections': {
    test: 'crr',
    protocol: 'http',
    argv: ['--test', 'crr', '--protocol', 'http', '--connections', '2'],
  },
  'open loop': {
    test: 'latency',
    protocol: 'http',
    argv: ['--test', 'latency', '--protocol', 'http', '--connections', '8', '--rate', '500'],
  },
  'tcp request/response': {
    test: 'rr',
    protocol: 'tcp',
    argv: ['--test', 'rr', '--protocol', 'tcp', '--connections', '1'],
  },
  'tcp connect/request/close': {
    test: 'crr',
    protocol: 'tcp',
    argv: ['--test', 'crr', '--protocol', 'tcp', '--connections', '2'],
  },
  'stream up': {
    test: 'stream',
    protocol: 'tcp',
    argv: ['--test', 'stream-up', '--protocol', 'tcp', '--connections', '1'],
  },
  'stream down': {
    test: 'stream',
    protocol: 'tcp',
    argv: ['--test', 'stream-down', '--protocol', 'tcp', '--connections', '1'],
  },
}

export interface Driven {
  readonly before: Observation
  readonly after: Observation
  readonly traffic: Traffic
  readonly facts: readonly Fact[]
  /** Answers, or bytes streamed. */
  readonly done: number
}

/** Drives a load for about half a second and judges which way it went. A load that fails altogether has no traffic. */
export async function drive({ path }: LaidMode, load: Load): Promise<Driven> {
  const before = await path.observe()
  const argv = [
    nativeTool('load'),
    '--target',
    path.target.host,
    '--http-port',
    String(path.target.httpPort),
    '--tcp-port',
    String(path.target.tcpPort),
    '--payload',
    load.test === 'stream' ? '65536' : '64',
    '--warmup',
    '0.1',
    '--duration',
    '0.4',
    '--seed',
    '1',
    ...load.argv,
  ]
  const output = await path.client.run(argv).catch(() => '')
  const line = output.split('\n').find((candidate) => candidate.includes('"event":"result"'))
  const result = line
    ? JSON.parse(line)
    : { done: 0, traffic: { connections: 0, requests: 0, bytesSent: 0, bytesReceived: 0 } }
  const after = await path.observe()
  const traffic: Traffic = { test: load.test, protocol: load.protocol, ...result.traffic }
  return {
    before,
    after,
    traffic,
    facts: path.travelled(before, after, traffic),
    done: result.done + (result.streamBytes ?? 0),
  }
}

/** Claims that failed, with their evidence, for readable assertions. */
export const failed = (facts: readonly Fact[]): string[] =>
  facts.filter((fact) => !fact.holds).map((fact) => `${fact.claim}: ${fact.evidence}`)
