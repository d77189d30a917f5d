import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { interfacePackets } from '../proof/tap-facts.ts'
import { encodeFrame, type Frame, FrameReader } from './agent-client.ts'
import { inLoadOrder } from './kernel-modules.ts'

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
  const dep = [
    'kernel/net/a.ko:',
    'kernel/net/b.ko: kernel/net/a.ko',
    'kernel/net/c.ko.xz: kernel/net/b.ko kernel/net/a.ko',
    'kernel/net/d.ko: kernel/net/b.ko kernel/net/a.ko',
  ].join('\n')

  it('are loaded behind what they need, each once', () => {
    const order = inLoadOrder(dep, ['c', 'd', 'a'])
    expect(order.map((path) => path.slice(11, 12))).toEqual(['a', 'b', 'c', 'd'])
    expect(() => inLoadOrder(dep, ['e'])).toThrow(/no module e/)
  })
})

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
