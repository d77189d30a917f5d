/** The agent's configuration file (native/agent/README.md). */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { agentPort } from './agent-client.ts'
import type { Dwelling } from './dwelling.ts'
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

/** Writes it where the guest can read it, and returns its path. */
export function writeAgentConfig(dwelling: Dwelling, { interface: own, ...config }: AgentConfig): string {
  const file = join(dwelling.share, 'agent.json')
  const guestInterface = own && {
    device: own.device,
    name: 'eth0',
    mac: own.mac,
    mtu: own.mtuBytes,
    address: own.address,
    gateway: own.gateway,
  }
  const text = { ...config, port: agentPort, ...(guestInterface ? { interface: guestInterface } : {}) }
  writeFileSync(file, JSON.stringify(text, null, 1), { mode: 0o644 })
  return file
}
