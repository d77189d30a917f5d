/** Hops of the path picture that modes with a tap share. */
import type { Hop } from '../../harness/contracts.ts'
import { counter } from '../proof/picture.ts'
import type { Networking, SandboxName } from './sandbox.ts'

const words: Readonly<Record<SandboxName, string>> = { uml: 'User Mode Linux', qemu: 'QEMU' }

const between: Readonly<Record<Exclude<Networking, 'none'>, string>> = {
  tcfilter: 'redirected between tap and eth0 by tc, past the pod’s netfilter',
  l3forwarding: 'routed by the pod’s namespace, through its netfilter',
}

/** The guest's kernel between application and tap. */
export const guestStack = (end: 'client' | 'server', sandbox: SandboxName): Hop => ({
  id: `${end}-guest`,
  lane: `${end} sandbox`,
  kind: 'stack',
  label: 'TCP/IP of the guest’s kernel',
  detail: `sandbox: ${words[sandbox]}`,
  counters: [counter(`${end}-guest.segments`, 'TCP segments', 'segments')],
})

/** The tap in the pod's namespace on the host. */
export const tapHop = (end: 'client' | 'server', networking: Exclude<Networking, 'none'>): Hop => ({
  id: `${end}-tap`,
  lane: `${end} pod`,
  kind: 'device',
  label: `tap0_kata, ${networking}`,
  detail: between[networking],
  counters: [
    counter(`${end}-tap.fromGuest`, 'from the guest', 'packets'),
    counter(`${end}-tap.toGuest`, 'to the guest', 'packets'),
  ],
})

/** An application's hop, in its sandbox. */
export const inSandbox = (hop: Hop, end: 'client' | 'server'): Hop => ({ ...hop, lane: `${end} sandbox`, counters: [] })
