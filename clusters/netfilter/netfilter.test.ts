import { describe, expect, it } from 'vitest'
import { sidecarRedirect } from './istio-sidecar.ts'
import { normalForm } from './normal-form.ts'
import { ruleById, toRestoreText } from './rule-set.ts'
import { ruleSets } from './rule-sets.ts'
import { countersById, differences, parseSaved } from './saved-rules.ts'

describe('normal form', () => {
  it.each([
    ['-p tcp --dport 15008 -j RETURN', '-p tcp -m tcp --dport 15008 -j RETURN'],
    ['-j MARK --set-mark 1337', '-j MARK --set-xmark 0x539/0xffffffff'],
    ['-o lo -s 127.0.0.6/32 -j RETURN', '-s 127.0.0.6/32 -o lo -j RETURN'],
    ['-d 169.254.7.127 -p tcp -m tcp -j ACCEPT', '-d 169.254.7.127/32 -p tcp -m tcp -j ACCEPT'],
    ['-p udp --dport 53 -j REDIRECT --to-port 15053', '-p udp -m udp --dport 53 -j REDIRECT --to-ports 15053'],
    [
      '-m connmark --mark 0x111/0xfff -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff',
      '-m connmark --mark 0x111/0xfff -j CONNMARK --restore-mark',
    ],
    [
      '-p tcp -j TPROXY --tproxy-mark 1337/0xffffffff --on-port 15006',
      '-p tcp -j TPROXY --on-port 15006 --on-ip 0.0.0.0 --tproxy-mark 0x539/0xffffffff',
    ],
  ])('«%s» is «%s»', (typed, printed) => expect(normalForm(typed)).toBe(normalForm(printed)))

  it.each([
    ['-o lo -j RETURN', '! -o lo -j RETURN'],
    ['-p tcp --dport 80 -j RETURN', '-p tcp ! --dport 80 -j RETURN'],
    ['-m mark --mark 0x539/0xfff -j ACCEPT', '-m mark --mark 0x539 -j ACCEPT'],
    ['-j REDIRECT --to-ports 15001', '-j REDIRECT --to-ports 15006'],
  ])('«%s» is not «%s»', (one, other) => expect(normalForm(one)).not.toBe(normalForm(other)))
})

describe.each(ruleSets)('$name', (set) => {
  const saved = (text: string): string => text.replaceAll(/^-A/gm, '[3:180] -A')

  it('differs in nothing from itself', () => {
    expect(differences(set, parseSaved(saved(toRestoreText(set))))).toEqual([])
  })

  it('sees every single missing, changed or extra rule', () => {
    const rules = parseSaved(saved(toRestoreText(set)))
    for (const [at, rule] of rules.entries()) {
      expect(differences(set, rules.toSpliced(at, 1)), `without ${rule.spec}`).not.toEqual([])
      expect(differences(set, rules.with(at, { ...rule, spec: '-j DROP' })), `changed ${rule.spec}`).not.toEqual([])
      expect(differences(set, rules.toSpliced(at, 0, { ...rule, spec: '-j DROP' })), 'extra').not.toEqual([])
    }
  })

  it('has unique ids, each with a counter', () => {
    const ids = set.tables.flatMap((table) => table.rules.flatMap((rule) => rule.id ?? []))
    expect(new Set(ids).size).toBe(ids.length)
    const counters = countersById(set, parseSaved(saved(toRestoreText(set))))
    for (const id of ids) expect(counters[id], id).toBe(3)
  })
})

it('has nine rules in the sidecar’s ISTIO_OUTPUT, the talk’s 1, 4 and 9 in their places', () => {
  const output = sidecarRedirect.tables[0]?.rules.filter((rule) => rule.chain === 'ISTIO_OUTPUT') ?? []
  expect(output).toHaveLength(9)
  expect([0, 3, 8].map((at) => output[at]?.id)).toEqual(['rule-1', 'rule-4', 'rule-9'])
  expect(ruleById(sidecarRedirect, 'rule-9').table).toBe('nat')
})
