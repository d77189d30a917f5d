import { expect, it } from 'vitest'
import { allowedCpus, cpuList, proxyConcurrency } from './cpus.ts'

it.each([
  ['Name:\tx\nCpus_allowed_list:\t0-1\n', [0, 1]],
  ['Cpus_allowed_list:\t0,2-3,8\n', [0, 2, 3, 8]],
  ['Cpus_allowed_list:\t5\n', [5]],
])('reads the CPUs of %j', (status, cpus) => expect(allowedCpus(status)).toEqual(cpus))

it('gives the driver the first CPU and the datapath the others', () => {
  expect(cpuList('driver', [0, 1, 2])).toBe('0')
  expect(cpuList('datapath', [0, 1, 2])).toBe('1,2')
  expect(cpuList('none', [0, 1, 2])).toBeUndefined()
})

it('does not pin on one CPU', () => {
  expect(cpuList('driver', [3])).toBeUndefined()
  expect(cpuList('datapath', [3])).toBeUndefined()
})

it.each([
  [[0], 1],
  [[0, 1], 1],
  [[0, 1, 2], 2],
  [[0, 1, 2, 3, 4, 5], 2],
])('gives proxies on CPUs %j %i workers', (cpus, workers) => expect(proxyConcurrency(cpus)).toBe(workers))
