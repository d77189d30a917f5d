/** The components of a visit: processes counted together, by control group or, where there is none, by /proc. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Component, ComponentRole } from '../../../harness/contracts.ts'
import { ControlGroup, groupRoot, type Hierarchy } from './control-groups.ts'

/** Time on a CPU of all threads of a process in ns: first field of schedstat (kernel sched-stats documentation). */
function onCpuNs(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).reduce(
      (sum, tid) => sum + Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'utf8').split(' ')[0]),
      0,
    )
  } catch {
    return 0 // the process has ended
  }
}

class GroupComponent implements Component {
  readonly name: string
  readonly role: ComponentRole
  readonly group: ControlGroup | undefined
  readonly #spawned = new Set<number>()

  constructor(name: string, role: ComponentRole, group: ControlGroup | undefined) {
    this.name = name
    this.role = role
    this.group = group
  }

  add(pid: number): void {
    this.#spawned.add(pid)
  }

  pids(): readonly number[] {
    return this.group ? this.group.pids() : [...this.#spawned]
  }

  async cpu(): ReturnType<Component['cpu']> {
    if (this.group) return { seconds: this.group.cpuSeconds(), source: this.group.kind }
    return { seconds: this.pids().reduce((sum, pid) => sum + onCpuNs(pid), 0) / 1e9, source: 'proc' }
  }
}

/** Makes components on first use; all places of a testbed share one registry. */
export class ComponentRegistry {
  readonly #components = new Map<string, GroupComponent>()
  readonly #hierarchy: Hierarchy
  readonly #runId: string

  constructor(hierarchy: Hierarchy, runId: string) {
    this.#hierarchy = hierarchy
    this.#runId = runId
  }

  get all(): readonly Component[] {
    return [...this.#components.values()]
  }

  get(name: string, role: ComponentRole): GroupComponent {
    const known = this.#components.get(name)
    if (known) return known
    const { kind } = this.#hierarchy
    const folder = join(groupRoot(this.#hierarchy, this.#runId), name.replaceAll(/[^\w-]+/g, '-'))
    const made = new GroupComponent(name, role, kind === 'proc' ? undefined : new ControlGroup(kind, folder))
    this.#components.set(name, made)
    return made
  }
}
