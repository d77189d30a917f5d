/** Mode `kata`: an application in a sandbox with Kata's default networking, and no mesh: what the sandbox itself costs. */
import type { Fact, Mode, Observation, Path, Traffic } from '../../harness/contracts.ts'
import { changes, is } from '../proof/judge.ts'
import { localPath } from '../proof/local-path.ts'
import { client, node, picture, type Step, server, wire } from '../proof/picture.ts'
import { calledDirectly, readableOnTheWire } from '../proof/plain-facts.ts'
import { noRulesProbe } from '../proof/probes.ts'
import { podStackSilent, tapProbe, tapStanding, tapTravelled } from '../proof/tap-facts.ts'
import { localBed } from '../providers/local/bed.ts'
import { sandboxAvailable } from '../sandboxes/choice.ts'
import { type SandboxedEnds, sandboxEnds, sandboxedEnds, sandboxedSetting } from '../sandboxes/ends.ts'
import { guestStack, inSandbox, tapHop } from '../sandboxes/hops.ts'

const networking = 'tcfilter'

type End = 'client' | 'server'

function route({ sandbox, client: clientSandbox, server: serverSandbox }: SandboxedEnds) {
  const plain = (hop: Step['hop']): Step => ({ hop, carries: 'plaintext' })
  const driver = client('plain connection to the server pod')
  const out = clientSandbox
    ? [inSandbox(driver, 'client'), guestStack('client', sandbox), tapHop('client', networking)]
    : [driver]
  const into = serverSandbox
    ? [tapHop('server', networking), guestStack('server', sandbox), inSandbox(server(), 'server')]
    : [server()]
  return picture([...out, node('client node'), wire(), node('server node'), ...into].map(plain))
}

function travelled(
  ends: readonly End[],
  before: Observation,
  after: Observation,
  traffic: Traffic,
  address: string,
): Fact[] {
  const change = changes(before, after)
  return [
    ...calledDirectly(change, after, traffic, address),
    ...ends.flatMap((end) => [...tapTravelled(end, change), podStackSilent(end, change)]),
    ...readableOnTheWire(change),
  ]
}

const kata: Mode = {
  name: 'kata',
  about: 'no mesh, the application in a sandbox with Kata’s default networking (tap, tcfilter)',
  runsOn: ['local'],
  comparedWith: 'baseline',
  settings: sandboxedSetting,
  available: () => sandboxAvailable(),
  async lay(testbed, scope, _log, chosen): Promise<Path> {
    const bed = localBed(testbed)
    const laid = await sandboxEnds(bed, sandboxedEnds(chosen), networking, scope)
    const sandboxes = [laid.client, laid.server].filter((one) => one !== undefined)
    const ends = sandboxes.map(({ pod }) => pod.role as End)
    return localPath(bed, {
      mode: 'kata',
      proxy: 'none',
      sandboxed: { sandbox: laid.sandbox, ends: laid.ends, client: laid.driver },
      versions: Object.assign({}, ...sandboxes.map(({ versions }) => versions)),
      picture: route(laid),
      probes: [
        noRulesProbe('client', bed.clientPod.place),
        noRulesProbe('server', bed.serverPod.place),
        ...sandboxes.map((sandbox) => tapProbe(sandbox.pod.role, sandbox)),
      ],
      standing: (now) => [
        is('no rule in the client pod', now, 'client.rules', ''),
        is('no rule in the server pod', now, 'server.rules', ''),
        ...ends.flatMap((end) => tapStanding(end, now, networking)),
      ],
      travelled: (before, after, traffic) => travelled(ends, before, after, traffic, bed.clientPod.address),
    })
  },
}

export default kata
