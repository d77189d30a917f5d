/** Mode `baseline`: what everything else is compared with. */
import type { Mode, Observation, Path, Traffic } from '../../harness/contracts.ts'
import { changes, is } from '../proof/judge.ts'
import { localPath } from '../proof/local-path.ts'
import { client, node, picture, server, wire } from '../proof/picture.ts'
import { calledDirectly, readableOnTheWire } from '../proof/plain-facts.ts'
import { noRulesProbe } from '../proof/probes.ts'
import { localBed } from '../providers/local/bed.ts'

const route = picture([
  { hop: client('plain connection to the server pod'), carries: 'plaintext' },
  { hop: node('client node'), carries: 'plaintext' },
  { hop: wire(), carries: 'plaintext' },
  { hop: node('server node'), carries: 'plaintext' },
  { hop: server(), carries: 'plaintext' },
])

function travelled(before: Observation, after: Observation, traffic: Traffic, clientAddress: string) {
  const change = changes(before, after)
  return [...calledDirectly(change, after, traffic, clientAddress), ...readableOnTheWire(change)]
}

const baseline: Mode = {
  name: 'baseline',
  about: 'no mesh: client to server over the nodes’ network, in plaintext',
  runsOn: ['local'],
  comparedWith: 'baseline',
  available: async () => ({ ok: true }),
  async lay(testbed): Promise<Path> {
    const bed = localBed(testbed)
    return localPath(bed, {
      mode: 'baseline',
      proxy: 'none',
      versions: {},
      picture: route,
      probes: [noRulesProbe('client', bed.clientPod.place), noRulesProbe('server', bed.serverPod.place)],
      standing: (now) => [
        is('no rule in the client pod', now, 'client.rules', ''),
        is('no rule in the server pod', now, 'server.rules', ''),
      ],
      travelled: (before, after, traffic) => travelled(before, after, traffic, bed.clientPod.address),
    })
  },
}

export default baseline
