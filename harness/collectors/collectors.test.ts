import { expect, it } from 'vitest'
import { foreignSeconds, parseHostCpu, parseProcess } from '../proc-stat.ts'
import { parseThrottled } from './host.ts'
import { addressSpace, statusBytes } from './memory.ts'
import { parseSegments, parseTimeWait } from './net.ts'

it('reads /proc/stat: user, nice, system, irq and softirq are busy', () => {
  const { busySeconds, stealSeconds, totalSeconds } = parseHostCpu('cpu  100 10 50 800 20 5 15 30 0 0\ncpu0 1\n')
  expect([busySeconds, stealSeconds, totalSeconds]).toEqual([1.8, 0.3, 10.3])
})

it('reads a process whose name holds spaces and parentheses', () => {
  expect(parseProcess('7 (a ) b) S 3 7 7 0 -1 4 1 2 3 4 150 50 0 0 20')).toEqual({ parent: 3, seconds: 2 })
})

it('counts neighbours, not the run and not the kernel', () => {
  const at = (seconds: number) =>
    new Map([
      [1, { parent: 0, seconds: 1 }],
      [2, { parent: 0, seconds }],
      [3, { parent: 2, seconds }],
      [10, { parent: 1, seconds }],
      [11, { parent: 10, seconds }],
      [20, { parent: 1, seconds }],
    ])
  expect(foreignSeconds(at(5), at(7), 10)).toBe(2)
})

it('reads segments, TIME_WAIT, memory and throttling', () => {
  const snmp = 'Ip: a\nIp: 1\nTcp: RtoAlgorithm InSegs OutSegs\nTcp: 1 500 600\n'
  expect(parseSegments(snmp)).toEqual({ inbound: 500, outbound: 600 })
  expect(parseSegments('')).toEqual({ inbound: 0, outbound: 0 })
  expect(parseTimeWait('sockets: used 3\nTCP: inuse 1 orphan 0 tw 42 alloc 1 mem 0\n')).toBe(42)
  expect(statusBytes('VmHWM:\t    20 kB\nVmRSS:\t      10 kB\n', 'VmRSS')).toBe(10_240)
  expect(parseThrottled('nr_throttled 1\nthrottled_usec 500000\n')).toBe(0.5)
  expect(parseThrottled('throttled_time 2000000000\n')).toBe(2)
  expect(parseThrottled('')).toBeUndefined()
})

it('tells address spaces apart, and sees where one is shared', () => {
  const stat = (pid: number, stack: number): string =>
    `${pid} (linux (uml)) ${Array.from({ length: 50 }, (_, index) => (index === 25 ? stack : index < 23 ? pid : index)).join(' ')}`
  const status = (pid: number, rss: number): string => `Pid:\t${pid}\nVmRSS:\t${rss} kB\nRssAnon:\t7 kB\nThreads:\t1\n`
  const one = addressSpace(stat(10, 900), status(10, 500))
  expect(addressSpace(stat(11, 900), status(11, 500))).toBe(one)
  expect(addressSpace(stat(11, 901), status(11, 500))).not.toBe(one)
  expect(addressSpace(stat(11, 900), status(11, 501))).not.toBe(one)
})
