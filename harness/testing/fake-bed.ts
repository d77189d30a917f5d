/** A testbed and a path without a machine: every connection the fake driver makes is counted, as a real path would. */
import type { Component, Fact, Mode, Path, Place, Provider, Testbed } from '../contracts.ts'
import type { Proc } from '../process.ts'
import type { Scope } from '../scope.ts'

export interface FakeBed extends Testbed {
  readonly traffic: { connections: number }
}

const place: Place = {
  name: 'client',
  spawn: (): Promise<Proc> => Promise.reject(new Error('a fake place starts no processes')),
  run: async () => '',
}

const component = (name: string, role: Component['role']): Component => ({
  name,
  role,
  pids: () => [],
  cpu: async () => ({ seconds: 0, source: 'proc' }),
})

export interface FakeProvider extends Provider<FakeBed> {
  /** Testbeds that are laid and not yet taken down. */
  readonly open_: Set<string>
}

export function fakeProvider(): FakeProvider {
  const laid = new Set<string>()
  return {
    name: 'fake',
    about: 'nothing',
    open_: laid,
    available: async () => ({ ok: true }),
    clean: async () => [],
    async open(request, scope: Scope) {
      laid.add(request.workDir)
      scope.defer('fake testbed', () => laid.delete(request.workDir))
      const components = [component('server', 'server'), component('proxy', 'proxy')]
      return {
        provider: 'fake',
        placement: request.placement,
        client: place,
        components,
        stacks: [],
        traffic: { connections: 0 },
      }
    },
  }
}

export interface FakeModeOptions {
  /** Laying fails. */
  readonly cannotLay?: boolean
  /** Traffic goes another way. */
  readonly bypassed?: boolean
}

export function fakeMode(name: string, options: FakeModeOptions = {}): Mode {
  return {
    name,
    about: `fake ${name}`,
    runsOn: ['fake'],
    comparedWith: 'plain',
    available: async () => ({ ok: true }),
    async lay(bed): Promise<Path> {
      if (options.cannotLay) throw new Error(`${name} cannot be laid`)
      const { traffic } = bed as FakeBed
      return {
        mode: name,
        proxy: 'none',
        sandbox: 'none',
        target: { host: name, httpPort: 8080, tcpPort: 8081 },
        client: bed.client,
        components: bed.components,
        stacks: bed.stacks,
        versions: {},
        picture: {
          lanes: ['pod'],
          hops: [
            {
              id: 'h',
              lane: 'pod',
              kind: 'rule',
              label: 'rule',
              counters: [{ key: 'rule', label: 'hits', unit: 'connections' }],
            },
          ],
          links: [],
        },
        observe: async () => ({ counters: { rule: options.bypassed ? 0 : traffic.connections++ }, states: {} }),
        standing: (): Fact[] => [{ claim: 'it stands', holds: true, evidence: 'two\nlines, "quoted"' }],
        travelled: (before, after): Fact[] => {
          const moved = (after.counters['rule'] ?? 0) - (before.counters['rule'] ?? 0)
          return [{ claim: 'the rule moved', holds: moved > 0, evidence: `${moved}` }]
        },
      }
    },
  }
}
