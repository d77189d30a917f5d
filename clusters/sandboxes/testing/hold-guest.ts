/** Boots a guest in a testbed, says so, and waits to be killed: the harness of a test of leftovers. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Scope } from '../../../harness/scope.ts'
import { localBed } from '../../providers/local/bed.ts'
import local from '../../providers/local/provider.ts'
import { enterSandbox } from '../pod-sandbox.ts'
import { bootAlone } from '../probe.ts'
import uml from '../uml.ts'

/** Boots in a testbed, as a run does; gives the run's name. */
async function inTestbed(scope: Scope): Promise<string> {
  const runId = `held-${process.pid}`
  const workDir = mkdtempSync(join(tmpdir(), 'dpb-held-'))
  const request = { runId, placement: 'cross-node', workDir, seed: 1 } as const
  const bed = localBed(await local.open(request, scope, { step() {}, detail() {} }))
  await enterSandbox({ bed, pod: bed.clientPod, sandbox: uml, networking: 'tcfilter', pin: 'driver' }, scope)
  return runId
}

const scope = new Scope('held')
const onTrial = async (): Promise<string> => (await bootAlone(uml, scope)).runId
process.stdout.write(`${await (process.argv[2] === 'trial' ? onTrial() : inTestbed(scope))}\n`)
setInterval(() => {}, 1000)
