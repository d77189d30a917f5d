/** The provider for real: what it makes is gone at the end, also after kill -9, and nobody else's things are touched. */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'
import { sh } from '../../../harness/shell.ts'
import baseline from '../../datapaths/baseline.ts'
import { layMode, silent } from '../../testing/laid-mode.ts'
import { findHierarchy, groupRoot } from './control-groups.ts'
import { netnsRoot, stateDir } from './names.ts'
import local from './provider.ts'

const namespaces = (runId: string): string[] =>
  (existsSync(netnsRoot) ? readdirSync(netnsRoot) : []).filter((name) => name.startsWith(`dpb-${runId}-`))

const bystander = 'dpbother-1'
afterEach(async () => {
  if (existsSync(`${netnsRoot}/${bystander}`)) await sh(['ip', 'netns', 'delete', bystander])
})

it('leaves nothing behind', async () => {
  const runId = `test-${process.pid}`
  const laid = await layMode(baseline)
  expect(namespaces(runId)).toHaveLength(4)
  const pids = laid.bed.components.flatMap((component) => component.pids())
  expect(pids.length).toBeGreaterThan(4)
  await laid.scope.close()
  expect(namespaces(runId)).toEqual([])
  expect(existsSync(stateDir(runId))).toBe(false)
  expect(existsSync(groupRoot(findHierarchy(), runId))).toBe(false)
  expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([])
})

it('does not clean a live run', async () => {
  const laid = await layMode(baseline)
  try {
    expect(await local.clean(silent)).toEqual([])
    expect(laid.bed.echo.proc.alive).toBe(true)
  } finally {
    await laid.scope.close()
  }
})

it('cleans what a killed run left, and nothing else', async () => {
  await sh(['ip', 'netns', 'add', bystander])
  const script = `
    import { layMode } from '${fileURLToPath(new URL('../../testing/laid-mode.ts', import.meta.url))}'
    import sidecar from '${fileURLToPath(new URL('../../datapaths/sidecar.ts', import.meta.url))}'
    const laid = await layMode(sidecar)
    console.log(JSON.stringify({ runId: 'test-' + process.pid, pids: laid.bed.components.flatMap((c) => c.pids()) }))
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const line = await new Promise<string>((resolve) => child.stdout.once('data', (data) => resolve(String(data))))
  const { runId, pids } = JSON.parse(line) as { runId: string; pids: number[] }
  const ended = new Promise((resolve) => child.once('exit', resolve))
  process.kill(child.pid as number, 'SIGKILL')
  await ended
  expect(namespaces(runId)).toHaveLength(4)
  const removed = await local.clean(silent)
  expect(removed.join('\n')).toContain(runId)
  expect(namespaces(runId)).toEqual([])
  expect(existsSync(stateDir(runId))).toBe(false)
  const alive = pids.filter(
    (pid) => existsSync(`/proc/${pid}`) && !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')),
  )
  expect(alive).toEqual([])
  expect(existsSync(`${netnsRoot}/${bystander}`)).toBe(true)
  expect(await local.clean(silent)).toEqual([])
})

it('changes nothing in the host’s own namespace', async () => {
  const host = async (): Promise<string[]> => [
    await sh(['ip', '-o', 'link']),
    await sh(['ip', 'rule']),
    await sh(['iptables-save']),
    await sh(['sysctl', '-n', 'net.ipv4.ip_forward', 'net.ipv4.ip_local_port_range']),
  ]
  const before = await host()
  const laid = await layMode(baseline)
  const during = await host()
  await laid.scope.close()
  expect(during).toEqual(before)
  expect(await host()).toEqual(before)
})
