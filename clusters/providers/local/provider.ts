/** Provider `local`: pods and nodes are network namespaces of this machine, with the real rules and the real proxies. */
import type { Availability, Provider } from '../../../harness/contracts.ts'
import { sh } from '../../../harness/shell.ts'
import { type LocalBed, layBed } from './bed.ts'
import { cleanLeftovers } from './leftovers.ts'

/** Tried in a namespace of its own, which ends with the command. */
async function canMakeNamespaces(): Promise<Availability> {
  if (process.getuid?.() !== 0)
    return { ok: false, because: 'network namespaces need root', remedy: 'run as root, e.g. sudo npm run bench' }
  try {
    await sh(['unshare', '--net', 'ip', 'link', 'add', 'name', 'a', 'type', 'veth', 'peer', 'name', 'b'])
    return { ok: true }
  } catch (cause) {
    const because = cause instanceof Error ? cause.message : String(cause)
    return { ok: false, because, remedy: 'allow network namespaces and veth pairs (CAP_SYS_ADMIN, kernel veth)' }
  }
}

const local: Provider<LocalBed> = {
  name: 'local',
  about: 'network namespaces on this machine; no cluster needed',
  available: canMakeNamespaces,
  open: (request, scope) => layBed(request, scope),
  clean: () => cleanLeftovers(),
}

export default local
