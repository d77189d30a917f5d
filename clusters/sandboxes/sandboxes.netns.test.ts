/** Guests for real: a place like any other, an ordinary user, whole ends, nothing left behind. */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Scope } from '../../harness/scope.ts'
import { type LocalBed, localBed } from '../providers/local/bed.ts'
import { cleanLeftovers } from '../providers/local/leftovers.ts'
import { sandboxUid } from '../providers/local/names.ts'
import local from '../providers/local/provider.ts'
import { silent } from '../testing/laid-mode.ts'
import { tcpSegments } from './guest-counters.ts'
import { enterSandbox, type PodSandbox } from './pod-sandbox.ts'
import type { Networking } from './sandbox.ts'
import uml from './uml.ts'

interface Laid {
  readonly bed: LocalBed
  readonly inside: PodSandbox
  readonly scope: Scope
}

async function lay(networking: Networking): Promise<Laid> {
  const scope = new Scope('sandbox test')
  const workDir = mkdtempSync(join(tmpdir(), 'dpb-test-'))
  scope.defer('logs', () => rmSync(workDir, { recursive: true, force: true }))
  const request = { runId: `test-${process.pid}`, placement: 'cross-node', workDir, seed: 1 } as const
  const bed = localBed(await local.open(request, scope, silent))
  const plan = { bed, pod: bed.clientPod, sandbox: uml, networking, pin: 'driver' } as const
  return { bed, inside: await enterSandbox(plan, scope), scope }
}

const pidsOf = (bed: LocalBed, name: string): readonly number[] =>
  bed.components.find((component) => component.name === name)?.pids() ?? []

describe('a guest without a network', () => {
  let laid: Laid
  beforeAll(async () => {
    laid = await lay('none')
  })
  afterAll(() => laid.scope.close())

  it('is another kernel, with a loopback and nothing else', async () => {
    const { guest } = laid.inside
    expect(guest.kernel).toBe((await guest.run(['uname', '-r'])).trim())
    expect(guest.kernel).not.toBe(release())
    expect(await guest.run(['ls', '/sys/class/net'])).toBe('lo\n')
    expect(await tcpSegments(guest)).toBe(0)
  })

  it('runs commands: input, output, exit code, words of what failed', async () => {
    const { guest } = laid.inside
    const binary = '\u0000\u0001ä\n'.repeat(50_000)
    expect(await guest.run(['cat'], binary)).toBe(binary)
    await expect(guest.run(['sh', '-c', 'echo why >&2; exit 3'])).rejects.toMatchObject({
      exitCode: 3,
      stderrTail: 'why\n',
    })
    await expect(guest.run(['no-such-program'])).rejects.toThrow(/no-such-program: No such file/)
  })

  it('spawns as other places do: user, environment, ready line, lines, input, stop', async () => {
    const { guest } = laid.inside
    const lines: string[] = []
    let answered: (() => void) | undefined
    const answer = new Promise<void>((resolve) => {
      answered = resolve
    })
    const proc = await guest.spawn({
      component: 'shell',
      role: 'probe',
      argv: ['sh', '-c', 'echo "ready $(id -u) $COLOUR"; read line; echo "got $line"; sleep 1000'],
      env: { COLOUR: 'blue' },
      pin: 'none',
      uid: 1000,
      ready: /^ready/,
      onLine: (line) => {
        lines.push(line)
        if (line.startsWith('got')) answered?.()
      },
    })
    proc.write('something\n')
    await answer
    expect(lines).toEqual(['ready 1000 blue', 'got something'])
    expect(proc.alive).toBe(true)
    expect(await proc.stop()).toEqual({ code: null, signal: 'SIGTERM' })
    expect(await guest.run(['sh', '-c', 'pgrep sleep || echo none'])).toBe('none\n')
  })

  it('tells why a program never got ready', async () => {
    const { guest } = laid.inside
    const spec = { component: 'shell', role: 'probe', pin: 'none', ready: /never/ } as const
    await expect(guest.spawn({ ...spec, argv: ['sh', '-c', 'echo oh no; exit 7'] })).rejects.toThrow(
      /ended with 7: oh no/,
    )
    await expect(guest.spawn({ ...spec, argv: ['sleep', '99'], readyTimeoutMs: 200 })).rejects.toThrow(
      /not ready after/,
    )
  })

  it('is an ordinary user of the host: what that user may not read or write, its root may not', async () => {
    const { guest } = laid.inside
    const status = readFileSync(`/proc/${guest.proc.pid}/status`, 'utf8')
    expect(status).toMatch(new RegExp(`^Uid:\\s+${sandboxUid}\\s+${sandboxUid}`, 'm'))
    expect(status).toMatch(/^CapEff:\s+0+$/m)
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m)
    await expect(guest.run(['cat', '/etc/shadow'])).rejects.toThrow(/Permission denied/)
    await expect(guest.run(['touch', '/usr/here'])).rejects.toThrow(/Read-only file system/)
    const { stateDir } = laid.bed
    const share = join(stateDir, 'client-sandbox', 'share')
    await expect(guest.run(['touch', join(share, 'programs', 'here')])).rejects.toThrow(/Permission denied/)
    await guest.run(['touch', join(share, 'scratch', 'here')])
    expect(readdirSync(join(share, 'scratch'))).toEqual(['here'])
  })

  it('is on one CPU with its device, and all of it is counted', async () => {
    const allowed = (pid: number): string | undefined =>
      /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    const pids = [...pidsOf(laid.bed, 'client sandbox'), ...pidsOf(laid.bed, 'client sandbox device')]
    expect(pids.length).toBeGreaterThan(3)
    expect(new Set(pids.map(allowed)).size).toBe(1)
    const component = laid.bed.components.find(({ name }) => name === 'client sandbox')
    const before = (await component?.cpu())?.seconds ?? 0
    await laid.inside.guest.run(['sh', '-c', 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done'])
    const after = (await component?.cpu())?.seconds ?? 0
    expect(after - before).toBeGreaterThan(0.02)
  })

  it('powers off, and leaves no process', async () => {
    await laid.inside.guest.poweroff()
    expect(laid.inside.guest.proc.exit).toEqual({ code: 0, signal: null })
    expect(pidsOf(laid.bed, 'client sandbox')).toEqual([])
  })
})

describe('a guest ends whole', () => {
  it.each([
    ['its main process is killed', (inside: PodSandbox) => process.kill(inside.guest.proc.pid, 'SIGKILL')],
    ['its device dies', (inside: PodSandbox) => inside.device.proc.kill()],
  ])('when %s: what ran in it ends too', async (_how, kill) => {
    const { bed, inside, scope } = await lay('none')
    const proc = await inside.guest.spawn({ component: 'sleeper', role: 'probe', argv: ['sleep', '1000'], pin: 'none' })
    kill(inside)
    expect(await proc.exited).toEqual({ code: null, signal: 'SIGKILL' })
    await inside.guest.proc.exited
    while (pidsOf(bed, 'client sandbox').length > 0) await new Promise(setImmediate)
    await scope.close()
    expect(existsSync(bed.stateDir)).toBe(false)
  })

  it.each(['testbed', 'trial'])('when the harness of a %s is killed, clean removes it with the run', async (kind) => {
    const holder = join(import.meta.dirname, 'testing', 'hold-guest.ts')
    const harness = spawn(process.execPath, ['--import', 'tsx', holder, kind], { stdio: ['ignore', 'pipe', 'inherit'] })
    const runId = await new Promise<string>((resolve) => {
      createInterface({ input: harness.stdout }).once('line', resolve)
    })
    const gone = new Promise((resolve) => harness.once('exit', resolve))
    harness.kill('SIGKILL')
    await gone
    expect(runningBelow(runId)).not.toEqual([])
    const removed = await cleanLeftovers()
    expect(removed.join('\n')).toContain(`run ${runId}`)
    expect(runningBelow(runId)).toEqual([])
    expect(await cleanLeftovers()).toEqual([])
  })
})

const runningBelow = (runId: string): string[] =>
  execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(`/${runId}/`))
