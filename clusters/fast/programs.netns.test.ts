/** Real programs, unmodified, through the whole of `kata-fast`: sandbox, device, Envoy, HBONE, Envoy, device, sandbox. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Place } from '../../harness/contracts.ts'
import { Scope } from '../../harness/scope.ts'
import { sh } from '../../harness/shell.ts'
import { nativeFolder } from '../../setup/versions.mjs'
import { type LocalBed, localBed } from '../providers/local/bed.ts'
import local from '../providers/local/provider.ts'
import { silent } from '../testing/laid-mode.ts'
import { layOccupied } from './mode.ts'

const source = fileURLToPath(new URL('programs/peer.go', import.meta.url))

/** The issue's own sizes with DPB_FULL_CONTENT=1; a tenth of them each time. */
const scale = process.env['DPB_FULL_CONTENT'] === '1' ? 1 : 0.1
const gib = Math.round(2 ** 30 * scale)

describe('kata-fast, both ends sandboxed', () => {
  const scope = new Scope('programs')
  let bed: LocalBed
  let client: Place
  let server: Place
  let peer = ''
  const at = (): string => `${bed.serverPod.address}:8080`

  beforeAll(async () => {
    const workDir = mkdtempSync(join(tmpdir(), 'dpb-test-'))
    scope.defer('logs', () => rmSync(workDir, { recursive: true, force: true }))
    const request = { runId: `test-${process.pid}`, placement: 'cross-node', workDir, seed: 1 } as const
    bed = localBed(await local.open(request, scope, silent))
    await bed.echo.proc.stop() // its ports are needed, and its node is another than the programs'
    const chosen = { sandboxed: 'both', tsi: 'supervisor' } as const
    const { of } = await layOccupied({ mode: 'kata-fast', fused: false, proxy: 'envoy' }, bed, scope, chosen)
    const [from, to] = [of(bed.clientPod), of(bed.serverPod)]
    if (!from || !to) throw new Error('both ends are in sandboxes')
    client = from.place
    server = to.place
    // what lies in the build folder is brought into sandboxes
    peer = join(nativeFolder, 'target', 'programs', 'peer')
    const env = { CGO_ENABLED: '0', GO111MODULE: 'off' }
    await sh(['go', 'build', '-o', peer, source], { env, timeoutMs: 120_000 })
  }, 180_000)
  afterAll(() => scope.close())

  async function serving<T>(argv: readonly string[], ready: RegExp, use: () => Promise<T>): Promise<T> {
    const spec = { component: 'program', role: 'server', pin: 'none', argv, ready, readyTimeoutMs: 60_000 } as const
    const proc = await server.spawn(spec)
    try {
      return await use()
    } finally {
      await proc.stop()
    }
  }

  describe('a static Go program', () => {
    it.each([
      ['sends a hash’s worth of bytes', ['hash', 'up', String(gib)]],
      ['receives as many', ['hash', 'down', String(gib)]],
      ['opens many short connections', ['short', String(Math.round(10_000 * scale)), '8']],
      ['holds 500 connections at once', ['held', '500']],
      ['closes one half at a time, either side first', ['half']],
    ])(
      '%s',
      async (_what, [what = '', ...more]) => {
        const answer = await serving([peer, 'serve', '0.0.0.0:8080'], /listening/, () =>
          client.run([peer, what, at(), ...more]),
        )
        expect(answer.trim()).toBe('ok')
      },
      240_000,
    )
  })

  it('curl and Python’s HTTP server', async () => {
    const argv = ['python3', '-u', '-m', 'http.server', '-d', '/usr/share/common-licenses', '8080']
    const page = await serving(argv, /Serving/, () => client.run(['curl', '-sSf', `http://${at()}/GPL-3`]))
    expect(page).toBe(await sh(['cat', '/usr/share/common-licenses/GPL-3']))
  })

  it('Redis, with pipelines and many clients', async () => {
    const argv = ['redis-server', '--port', '8080', '--save', '', '--dir', '/tmp', '--protected-mode', 'no']
    await serving(argv, /Ready to accept/, async () => {
      const redis = ['-h', bed.serverPod.address, '-p', '8080']
      await client.run(['redis-benchmark', ...redis, '-n', '5000', '-c', '50', '-P', '4', '-t', 'incr', '-q'])
      expect(await client.run(['redis-cli', ...redis, 'get', 'counter:__rand_int__'])).toBe('5000\n')
      expect(await client.run(['redis-cli', ...redis, 'client', 'list'])).toContain(` addr=${bed.clientPod.address}:`)
    })
  }, 120_000)
})
