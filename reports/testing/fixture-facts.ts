/** What each mode of the fixture claims about its path. */
import type { Row } from '../../results/columns.ts'
import type { FixtureMode } from './fixture-costs.ts'
import type { Keys } from './fixture-rows.ts'

const claims: Readonly<Record<FixtureMode, readonly (readonly [string, string])[]>> = {
  baseline: [
    ['no rule of a mesh is in either pod', 'client pod: 0 rules, server pod: 0 rules'],
    ['the server accepted the driver’s own connections', 'driver 16 = server 16'],
    ['nothing on the wire is HBONE', 'HBONE packets 0'],
  ],
  sidecar: [
    [
      'rule 9 of the client pod captured every connection of the driver',
      'driver 16 = ISTIO_OUTPUT rule 9 16 = redirect to 15001 16',
    ],
    ['rule 4 of the client pod let out every connection of its sidecar', 'ISTIO_OUTPUT rule 4 16 = opened 16'],
    [
      'rule 1 of the server pod passed every connection to the application',
      'ISTIO_OUTPUT rule 1 16 = accepted by the server 16',
    ],
    ['no application byte is readable on the wire', 'plaintext packets 0'],
    [
      'the client sidecar reaches spiffe://cluster.local/ns/bench/sa/server by TLSv1.3',
      'ssl.versions.TLSv1.3 16, ssl.connection_error 0',
    ],
  ],
  ambient: [
    ['every connection of the driver was captured in the pod', 'driver 16 = redirect to 15001 16 = node proxy 16'],
    ['no socket of the node proxy is outside the pods', 'sockets in the node’s namespace: 0'],
    ['the client pod’s source address was kept', 'peers 10.10.1.10'],
    ['no application byte is readable on the wire', 'plaintext packets 0'],
  ],
  waypoint: [
    ['every tunnel of the client ended at the waypoint', 'sent 16 = received 16'],
    ['the waypoint saw every request', 'driver 14850 = waypoint 14850'],
    ['no application byte is readable on the wire', 'plaintext packets 0'],
  ],
}

/** What stands is judged before and after a shot; which way its traffic went only after it. */
const stands = (claim: string): boolean => /^no (rule|socket) /.test(claim)

/** A `broken` shot is one whose first claim fails afterwards. */
export function fillFacts(facts: Row<'facts'>[], keys: Keys, mode: FixtureMode, broken: boolean): void {
  for (const [index, [claim, evidence]] of claims[mode].entries())
    for (const when of stands(claim) ? ['before', 'after'] : ['after']) {
      const fails = broken && index === 0 && when === 'after'
      facts.push({
        ...keys,
        when,
        claim,
        holds: !fails,
        evidence: fails ? 'driver 6014 ≠ ISTIO_OUTPUT rule 9 6011' : evidence,
      })
    }
}
