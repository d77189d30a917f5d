import { describe, expect, it } from 'vitest'
import { type Analysis, analyse } from './analysis.ts'
import { briefCaveats, caveats, tags } from './caveats.ts'
import { fixture } from './testing/fixture.ts'

const plain = analyse(fixture())
const changed: Analysis = {
  ...plain,
  modes: plain.modes.map((mode) =>
    mode.name === 'ambient'
      ? { ...mode, sandbox: 'uml', sandboxed: 'client', proxy: 'tunnel', bypassed: 'the rules see no packet' }
      : mode,
  ),
}

describe('caveats', () => {
  it('are silent where nothing stands in for anything', () => {
    expect(caveats(plain)).toEqual([])
    expect(briefCaveats(plain)).toBe('')
    expect(plain.modes.flatMap(tags)).toEqual([])
  })

  it('name the sandbox, what it stands for, and who is bypassed', () => {
    expect(caveats(changed)).toEqual([
      expect.stringMatching(/^Sandbox uml \(User Mode Linux stands in for a Kata VM: .*\): ambient\.$/),
      'Bypassed, the mesh sees nothing of it: ambient.',
    ])
    expect(briefCaveats(changed)).toBe('; ambient: sandbox uml; ambient: bypassed')
    expect(changed.modes.flatMap(tags)).toEqual(['sandbox uml: client', 'proxy tunnel', 'bypassed'])
  })
})
