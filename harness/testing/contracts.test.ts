import { collectors } from '../collectors/index.ts'
import type { Path } from '../contracts.ts'
import { cellsOf } from '../plan.ts'
import { Scope } from '../scope.ts'
import { collectorContract, driverContract, modeContract, providerContract } from './contracts.ts'
import { fakeMode, fakeProvider } from './fake-bed.ts'
import { fakeDriver } from './fake-driver.ts'
import { fakeRequest } from './fake-world.ts'

const provider = fakeProvider()
const log = { step() {}, detail() {} }
const open = (scope: Scope) => provider.open({ runId: 'r', placement: 'cross-node', workDir: 'w', seed: 1 }, scope, log)
const scope = new Scope('contracts')
const path: Path = await fakeMode('plain').lay(await open(scope), scope, log)
await scope.close()
const [cell] = cellsOf({ ...fakeRequest, tests: ['rr'] }, [])
if (!cell) throw new Error('rr has a cell')

providerContract(
  provider,
  () => 'w',
  () => provider.open_.size === 0,
)
modeContract(fakeMode('plain'), open)
driverContract(fakeDriver(), () => path, { cell, seed: 1 })
for (const collector of collectors) collectorContract(collector, () => path)
