import { describe, expect, it } from 'vitest'
import { CommandError } from '../errors.ts'
import { probe } from './probe.ts'
import { asFinding, table, withNeeds } from './table.ts'

describe('doctor', () => {
  it('shows yes, no with a remedy, and unknown', () => {
    const findings = [
      asFinding('native', 'own driver', { ok: true }),
      asFinding('wrk', 'wrk', { ok: false, because: 'not installed', remedy: 'install it' }),
      { name: 'KVM', ok: null, detail: 'no python3', remedy: '' },
    ]
    const text = table([{ title: 'Drivers', optional: false, findings }], 'verdict', false)
    expect(text).toContain('✓ yes     native  own driver')
    expect(text).toContain('✗ no      wrk     not installed; install it')
    expect(text).toContain('? unknown KVM     no python3')
    expect(text).toMatch(/verdict\n$/)
    expect(text).not.toContain('\x1b')
    expect(table([{ title: 'Drivers', optional: false, findings }], 'verdict', true)).toContain('\x1b[31m')
  })

  it('raises no alarm over what is optional', () => {
    const findings = [asFinding('wrk', 'wrk', { ok: false, because: 'not installed', remedy: 'install it' })]
    const text = table([{ title: 'Drivers', optional: true, findings }], 'verdict', true)
    expect(text).toContain('– no      wrk  not installed')
    expect(text).not.toContain('\x1b[31m')
  })

  it('denies a mode what it needs, and does not guess', () => {
    const mode = asFinding('ambient', 'about', { ok: true })
    const need = { name: 'CONNMARK', detail: 'unknown target', remedy: '', usedBy: ['ambient'] }
    expect(withNeeds(mode, [{ ...need, ok: true }])).toEqual(mode)
    expect(withNeeds(mode, [{ ...need, ok: false }])).toMatchObject({ ok: false, detail: 'needs CONNMARK' })
    expect(withNeeds(mode, [{ ...need, ok: null }])).toMatchObject({ ok: null })
    expect(withNeeds(mode, [{ ...need, ok: false, usedBy: ['sidecar'] }])).toEqual(mode)
  })

  it('turns a failed command into its own words', async () => {
    const fails = () => Promise.reject(new CommandError(['iptables-restore'], 1, 'unknown match\nsecond line'))
    expect(await probe('x', 'do', fails)).toEqual({ name: 'x', ok: false, detail: 'unknown match', remedy: 'do' })
    const absent = () => Promise.reject(new CommandError(['x'], 127, 'bash: line 1: x: command not found'))
    expect(await probe('x', 'do', absent)).toMatchObject({ ok: false, detail: 'not found' })
    expect((await probe('x', 'do', fails, (why) => why.includes('unknown'))).ok).toBeNull()
  })
})
