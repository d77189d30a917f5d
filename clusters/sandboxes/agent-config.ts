/** The agent's configuration file (native/agent/README.md). */
import { agentPort } from './agent-client.ts'
import type { TapInterface } from './sandbox.ts'

export interface AgentConfig {
  readonly hostname: string
  readonly modules: readonly string[]
  readonly share: {
    readonly path: string
    readonly fileSystem: 'hostfs' | '9p'
    readonly options: string
    readonly source: string
  }
  readonly sysctls: Readonly<Record<string, string>>
  /** `device` is what the guest's kernel calls it before it gets the pod's name. */
  readonly interface?: TapInterface & { readonly device: string }
}

/** Text of the file. */
export function agentConfig({ interface: own, ...config }: AgentConfig): string {
  const guestInterface = own && {
    device: own.device,
    name: 'eth0',
    mac: own.mac,
    mtu: own.mtuBytes,
    address: own.address,
    gateway: own.gateway,
  }
  const text = { ...config, port: agentPort, ...(guestInterface ? { interface: guestInterface } : {}) }
  return JSON.stringify(text, null, 1)
}
