import { describe, expect, it } from 'vitest'
import type { Chosen, Mode } from './contracts.ts'
import { fakeMode } from './testing/fake-bed.ts'
import { chooseModes } from './variants.ts'

const mode = (name: string, comparedWith: string, settings?: Mode['settings']): Mode => ({
  ...fakeMode(name),
  comparedWith,
  ...(settings ? { settings } : {}),
})
const all = [
  mode('baseline', 'baseline'),
  mode('ambient', 'baseline', { proxy: ['envoy', 'tunnel'] }),
  mode('waypoint', 'baseline', { proxy: ['envoy'] }),
  mode('kata', 'baseline', { sandboxed: ['client', 'server', 'both'] }),
  mode('kata-ambient', 'kata', { proxy: ['envoy', 'tunnel'], sandboxed: ['client', 'server', 'both'] }),
  mode('kata-fast', 'kata-ambient', { proxy: ['envoy', 'tunnel'], sandboxed: ['client', 'server', 'both'] }),
]
const names = (wanted: string[], settings: Chosen = {}) => chooseModes(all, wanted, settings).map(({ name }) => name)
const against = (wanted: string[], settings: Chosen = {}) =>
  chooseModes(all, wanted, settings).map(({ comparedWith }) => comparedWith)

describe('variants', () => {
  it('are named by what differs from the plain mode', () => {
    expect(names(['ambient', 'ambient@proxy=tunnel'])).toEqual(['ambient', 'ambient@proxy=tunnel'])
    expect(names(['kata-fast@sandboxed=both@proxy=tunnel'])).toEqual(['kata-fast@proxy=tunnel@sandboxed=both'])
    expect(names(['ambient@proxy=envoy', 'ambient'])).toEqual(['ambient'])
  })

  it('take settings asked of all where they have them', () => {
    expect(names(['baseline', 'ambient', 'kata'], { proxy: 'tunnel', sandboxed: 'server' })).toEqual([
      'baseline',
      'ambient@proxy=tunnel',
      'kata@sandboxed=server',
    ])
    expect(names(['ambient@proxy=envoy'], { proxy: 'tunnel' })).toEqual(['ambient'])
  })

  it('are compared with the same variant of their yardstick, else with what the run has', () => {
    expect(against(['kata-ambient@proxy=tunnel', 'kata-ambient', 'kata-fast@proxy=tunnel', 'kata-fast'])).toEqual([
      'kata',
      'kata',
      'kata-ambient@proxy=tunnel',
      'kata-ambient',
    ])
    expect(against(['baseline', 'kata-fast'])).toEqual(['baseline', 'baseline'])
    expect(against(['kata', 'kata-fast@sandboxed=both'])).toEqual(['baseline', 'kata'])
  })

  it('refuse what a mode does not have, in one line', () => {
    expect(() => names(['waypoint'], { proxy: 'tunnel' })).toThrow('waypoint has no proxy tunnel')
    expect(() => names(['ambient@prxy=tunnel'])).toThrow('mode ambient has no setting prxy')
    expect(() => names(['baseline@proxy=tunnel'])).toThrow('mode baseline has no setting proxy')
    expect(() => names(['ambient@proxy'])).toThrow('ambient has no proxy')
    expect(() => names(['baseline'], { proxy: 'tunnel' })).toThrow('none of these modes has a proxy')
  })

  it('lay their mode with every setting, and say their own name', async () => {
    let seen: Chosen | undefined
    const spy: Mode = {
      ...mode('spy', 'spy', { proxy: ['envoy', 'tunnel'], sandboxed: ['client', 'both'] }),
      lay: async (bed, scope, log, chosen) => {
        seen = chosen
        return fakeMode('spy').lay(bed, scope, log)
      },
    }
    const [variant] = chooseModes([spy], ['spy@proxy=tunnel'], {})
    const path = await variant?.lay({} as never, {} as never, {} as never)
    expect(seen).toEqual({ proxy: 'tunnel', sandboxed: 'client' })
    expect(path?.mode).toBe('spy@proxy=tunnel')
    expect(path?.proxy).toBe('none')
  })
})
