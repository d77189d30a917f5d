/** A network namespace as a Place: what is spawned here joins its component's group, CPUs, namespace and user first. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Place, SpawnSpec } from '../../../harness/contracts.ts'
import { Proc } from '../../../harness/process.ts'
import type { Scope } from '../../../harness/scope.ts'
import { sh } from '../../../harness/shell.ts'
import type { ComponentRegistry } from './components.ts'
import { cpuList } from './cpus.ts'
import { netnsPath } from './names.ts'

/** Capabilities a node proxy keeps: sockets in pods (SYS_ADMIN), SO_MARK and transparent sources (NET_ADMIN, NET_RAW). */
const keptCapabilities = '-all,+sys_admin,+net_admin,+net_raw,+net_bind_service'

/** What all places of one visit share. */
export interface Visit {
  readonly components: ComponentRegistry
  readonly scope: Scope
  readonly logDir: string
  readonly seed: number
}

/** Up to 4 KiB: environment size shifts stacks and layouts, so it is random per visit (Mytkowicz 2009), but seeded. */
function padding(seed: number, component: string): string {
  return 'x'.repeat(createHash('sha256').update(`${seed} ${component}`).digest().readUInt16BE() % 4096)
}

export class NamespacePlace implements Place {
  readonly name: string
  readonly netns: string
  readonly #visit: Visit

  constructor(name: string, netns: string, visit: Visit) {
    this.name = name
    this.netns = netns
    this.#visit = visit
  }

  async run(argv: readonly string[], input?: string): Promise<string> {
    return sh(['nsenter', `--net=${netnsPath(this.netns)}`, '--', ...argv], input === undefined ? {} : { input })
  }

  async spawn(spec: SpawnSpec): Promise<Proc> {
    const component = this.#visit.components.get(spec.component, spec.role)
    const { ready, readyTimeoutMs, onLine, signal } = spec
    const proc = await Proc.start({
      name: `${spec.component} in ${this.name}`,
      argv: this.#argv(spec, component.group?.procsFile),
      env: { ...spec.env, DPB_PADDING: padding(this.#visit.seed, spec.component) },
      logFile: join(this.#visit.logDir, `${spec.component.replaceAll(/[^\w-]+/g, '-')}.log`),
      ...(ready ? { ready } : {}),
      ...(readyTimeoutMs ? { readyTimeoutMs } : {}),
      ...(onLine ? { onLine } : {}),
      ...(signal ? { signal } : {}),
    })
    component.add(proc.pid)
    this.#visit.scope.defer(`${spec.component} in ${this.name}`, () => proc.stop())
    return proc
  }

  /** sh joins the group, then every step replaces itself by the next: the pid stays, and dies with the harness. */
  #argv(spec: SpawnSpec, procsFile: string | undefined): string[] {
    const cpus = cpuList(spec.pin)
    return [
      ...(procsFile ? ['sh', '-c', 'echo $$ >"$0" && exec "$@"', procsFile] : []),
      ...(cpus ? ['taskset', '-c', cpus] : []),
      'nsenter',
      `--net=${netnsPath(this.netns)}`,
      '--',
      ...(spec.prepare ?? []),
      'setpriv',
      '--pdeathsig',
      'KILL',
      ...(spec.uid === undefined
        ? ['--bounding-set', keptCapabilities]
        : [`--reuid=${spec.uid}`, `--regid=${spec.uid}`, '--clear-groups', '--bounding-set', '-all', '--no-new-privs']),
      ...spec.argv,
    ]
  }
}
