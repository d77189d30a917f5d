/** A virtual machine under emulation on the project's device: slow, but the same rings, agent and proofs as with KVM. */
import { describe, expect, it, vi } from 'vitest'
import { chooseModes } from '../../harness/variants.ts'
import kata from '../datapaths/kata.ts'
import kataAmbient from '../datapaths/kata-ambient.ts'
import kataFast from '../datapaths/kata-fast.ts'
import { drive, failed, layMode, loads } from '../testing/laid-mode.ts'

vi.mock('./choice.ts', async (original) => {
  const { emulatedQemu } = await import('./qemu.ts')
  return { ...(await original<typeof import('./choice.ts')>()), chooseSandbox: async () => emulatedQemu }
})

const variants = ['kata', 'kata-ambient', 'kata-fast', 'kata-fast@sandboxed=server']

describe.each(chooseModes([kata, kataAmbient, kataFast], variants, {}))('$name with QEMU', (mode) => {
  it('stands, and carries requests and streams with all its facts', { timeout: 180_000 }, async () => {
    const laid = await layMode(mode)
    try {
      expect(laid.path.sandbox).toBe('qemu')
      expect(failed(laid.path.standing(await laid.path.observe()))).toEqual([])
      for (const name of ['http capacity', 'tcp connect/request/close', 'stream up', 'stream down']) {
        const { facts, done } = await drive(laid, loads[name] as NonNullable<(typeof loads)[string]>)
        expect({ [name]: failed(facts) }).toEqual({ [name]: [] })
        expect(done).toBeGreaterThan(0)
      }
    } finally {
      await laid.scope.close()
    }
  })
})
