/** Facts of modes without a mesh: the driver's own connections reach the server, in plaintext. */
import type { Fact, Observation, Traffic } from '../../harness/contracts.ts'
import { is, none, same, served, some } from './judge.ts'

type Change = (key: string) => number

/** The server was called by the driver itself, from the client pod's address. */
export const calledDirectly = (change: Change, after: Observation, traffic: Traffic, clientAddress: string): Fact[] => [
  same('the server accepted the driver’s own connections', {
    driver: traffic.connections,
    server: change('echo.connections'),
  }),
  ...served(change, traffic, 'same bytes'),
  is('the server saw nobody but the client pod', after, 'echo.peers', clientAddress),
]

/** What crossed the wire is the application's own. */
export const readableOnTheWire = (change: Change): Fact[] => [
  some('the application’s bytes are readable on the wire', {
    'TCP packets': change('wire.tcp'),
    'with payload, not HBONE': change('wire.other'),
    'in plaintext': change('wire.plaintext'),
  }),
  none('nothing on the wire is HBONE', { 'HBONE packets': change('wire.hbone') }),
]
