import { describe, expect, it } from 'vitest'
import { CommandError } from '../errors.ts'
import { probe } from './probe.ts'
import { asFinding, table } from './table.ts'

describe('doctor', () => {
  it('shows yes, no with a remedy, and unknown', () => {
    const findings = [
      asFinding('native', 'own driver', { ok: true }),
      asFinding('wrk', 'wrk', { ok: false, because: 'not installed', remedy: 'install it' }),
      { name: 'KVM', ok: null, detail: 'no python3', remedy: '' },
    ]
    const text = table([{ title: 'Drivers', findings }], 'verdict', false)
    expect(text).toContain('✓ yes     native  own driver')
    expect(text).toContain('✗ no      wrk     not installed; install it')
    expect(text).toContain('? unknown KVM     no python3')
    expect(text).toMatch(/verdict\n$/)
    expect(text).not.toContain('\x1b')
    expect(table([{ title: 'Drivers', findings }], 'verdict', true)).toContain('\x1b[31m')
  })

  it('turns a failed command into its own words', async () => {
    const fails = () => Promise.reject(new CommandError(['iptables-restore'], 1, 'unknown match\nsecond line'))
    expect(await probe('x', 'do', fails)).toEqual({ name: 'x', ok: false, detail: 'unknown match', remedy: 'do' })
    expect((await probe('x', 'do', fails, (why) => why.includes('unknown'))).ok).toBeNull()
  })
})
