/** Boots a guest in a testbed, says so, and waits to be killed: the harness of a test of leftovers. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Scope } from '../../../harness/scope.ts'
import { localBed } from '../../providers/local/bed.ts'
import local from '../../providers/local/provider.ts'
import { enterSandbox } from '../pod-sandbox.ts'
import uml from '../uml.ts'

const scope = new Scope('held')
const runId = `held-${process.pid}`
const request = { runId, placement: 'cross-node', workDir: mkdtempSync(join(tmpdir(), 'dpb-held-')), seed: 1 } as const
const bed = localBed(await local.open(request, scope, { step() {}, detail() {} }))
await enterSandbox({ bed, pod: bed.clientPod, sandbox: uml, networking: 'tcfilter', pin: 'driver' }, scope)
process.stdout.write(`${runId}\n`)
setInterval(() => {}, 1000)
