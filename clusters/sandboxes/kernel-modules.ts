/** Which module files a guest loads, and in which order: from depmod's modules.dep (modules.dep(5)). */
import { basename } from 'node:path'

/** vsock over virtio, and its loopback: a moved listener is called from 127.0.0.1 by it. */
export const vsockModules = ['vmw_vsock_virtio_transport', 'vsock_loopback'] as const

/** What istio-init's REDIRECT rules need, by the older interface (iptables-legacy). */
export const redirectModules = ['iptable_nat', 'xt_tcpudp', 'xt_owner', 'xt_REDIRECT'] as const

const nameOf = (path: string): string => basename(path).replace(/\.ko(\.\w+)?$/, '')

/** Paths of the named modules and all that they need, each behind what it needs. Throws where one is unknown. */
export function inLoadOrder(modulesDep: string, names: readonly string[]): string[] {
  const needs = new Map(
    modulesDep
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [path = '', rest = ''] = line.split(':')
        return [nameOf(path), { path, needed: rest.trim().split(/\s+/).filter(Boolean).map(nameOf) }] as const
      }),
  )
  const order = new Set<string>()
  const visit = (name: string): void => {
    const module = needs.get(name)
    if (!module) throw new Error(`the guest’s kernel has no module ${name}`)
    if (order.has(module.path)) return
    for (const needed of module.needed) visit(needed)
    order.add(module.path)
  }
  for (const name of names) visit(name)
  return [...order]
}
