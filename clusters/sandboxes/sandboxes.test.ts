import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { interfacePackets } from '../proof/tap-facts.ts'
import { encodeFrame, type Frame, FrameReader } from './agent-client.ts'
import { initramfs } from './initramfs.ts'
import { inLoadOrder, needsOf } from './kernel-modules.ts'

describe('frames', () => {
  const kind = fc.constantFrom('s', 'o', 'e', 'x', 'i', 'k')
  const frames = fc.array(fc.tuple(kind, fc.uint8Array({ maxLength: 300 })), { maxLength: 20 })

  it('come back as sent, however the bytes are cut', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (sent, cuts) => {
        const wire = Buffer.concat(sent.map(([letter, payload]) => encodeFrame(letter, payload)))
        const reader = new FrameReader()
        const seen: Frame[] = []
        for (let at = 0, turn = 0; at < wire.length; turn++) {
          const length = cuts[turn % cuts.length] ?? 1
          seen.push(...reader.take(wire.subarray(at, at + length)))
          at += length
        }
        expect(seen.map((frame) => [frame.kind, [...frame.payload]])).toEqual(
          sent.map(([letter, payload]) => [letter, [...payload]]),
        )
      }),
    )
  })
})

describe('kernel modules', () => {
  it('are loaded behind what they need, each once', () => {
    const needs: Readonly<Record<string, string[]>> = { a: [], b: ['a'], c: ['b', 'a'], d: ['b'] }
    expect(inLoadOrder(['c', 'd', 'a'], (name) => needs[name] ?? [])).toEqual(['a', 'b', 'c', 'd'])
  })

  it('say what they need in .modinfo', () => {
    expect(needsOf(Buffer.from('…\0license=GPL\0depends=virtio,9pnet,nf-nat\0name=x\0'))).toEqual([
      'virtio',
      '9pnet',
      'nf_nat',
    ])
    expect(needsOf(Buffer.from('\0depends=\0'))).toEqual([])
  })
})

describe('initramfs', () => {
  it('unpacks as it was packed', () => {
    const modules = [
      { name: 'one', content: Buffer.from('first') },
      { name: 'two', content: Buffer.from('second!') },
    ]
    const archive = initramfs({ init: Buffer.from('init'), config: '{}', modules })
    expect(archive.length % 4).toBe(0)
    const seen = readNewc(archive)
    expect(seen.get('init')).toEqual(Buffer.from('init'))
    expect(seen.get('modules/order')?.toString()).toBe('/modules/one.ko\n/modules/two.ko\n')
    expect(seen.get('modules/two.ko')).toEqual(Buffer.from('second!'))
    expect([...seen.keys()]).toContain('dev/console')
  })
})

/** An independent reading of the format: 110 bytes of head, name and content, each filled up to four. */
function readNewc(archive: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>()
  const up = (length: number): number => Math.ceil(length / 4) * 4
  for (let at = 0; at < archive.length; ) {
    const field = (index: number): number =>
      Number.parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16)
    expect(archive.toString('latin1', at, at + 6)).toBe('070701')
    const [size, nameLength] = [field(6), field(11)]
    const content = at + up(110 + nameLength)
    files.set(
      archive.toString('latin1', at + 110, at + 110 + nameLength - 1),
      archive.subarray(content, content + size),
    )
    at = content + up(size)
  }
  return files
}

describe('packets of an interface', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
tap0_kata:  84000     310    0    0    0     0          0         0    91000     420    0    7    0     0       0          0`

  it('are read from their columns', () => {
    expect(interfacePackets(text, 'tap0_kata')).toEqual({ received: 310, sent: 420 })
    expect(interfacePackets(text, 'eth0')).toEqual({ received: Number.NaN, sent: Number.NaN })
  })
})
