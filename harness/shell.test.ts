import { describe, expect, it } from 'vitest'
import { CommandError } from './errors.ts'
import { sh, succeeds } from './shell.ts'

describe('sh', () => {
  it('passes arguments and input on as they are', async () => {
    expect(await sh(['printf', '%s|', 'a b', '$HOME', '*'])).toBe('a b|$HOME|*|')
    expect(await sh(['cat'], { input: 'one\ntwo\n' })).toBe('one\ntwo\n')
  })

  it('says which command failed, how, and what it said', async () => {
    const failed = await sh(['sh', '-c', 'echo why >&2; exit 4']).catch((cause: unknown) => cause)
    expect(failed).toBeInstanceOf(CommandError)
    expect(failed).toMatchObject({ exitCode: 4, message: expect.stringContaining('exited with 4: why') })
    expect(await succeeds(['no-such-program'])).toBe(false)
  })

  it('survives a command that ends before it has read its input', async () => {
    const unread = 'x'.repeat(1_000_000) // more than a pipe holds
    for (let times = 0; times < 5; times++) expect(await succeeds(['false'], { input: unread })).toBe(false)
    expect(await sh(['true'], { input: unread })).toBe('')
  })

  it('ends a command that takes too long', async () => {
    expect(await succeeds(['sleep', '30'], { timeoutMs: 50 })).toBe(false)
  })
})
