/** Driver floor: the native driver against an echo beside it, on loopback in the client pod; once per run. */
import { decodeFromCompressedBase64 } from 'hdr-histogram-js'
import type { Cell, Driver, Testbed } from './contracts.ts'
import { nativeTool } from './native.ts'

/** One connection, HTTP: what a mode's p50 is compared with. */
const cell: Cell = {
  test: 'rr',
  loop: 'closed',
  protocol: 'http',
  direction: 'both',
  newConnections: false,
  ratePerSecond: null,
  loadPercent: null,
  connections: 1,
  payloadBytes: 64,
  warmupSeconds: 0.1,
  durationSeconds: 0.4,
}
const ports = { httpPort: 18_080, tcpPort: 18_081 }

/** p50 in ns, or null where the driver has no histogram. */
export async function driverFloorNs(bed: Testbed, driver: Driver, signal: AbortSignal): Promise<number | null> {
  const { httpPort, tcpPort } = ports
  const echo = await bed.client.spawn({
    component: 'floor',
    role: 'probe',
    argv: [nativeTool('echo'), '--http', `127.0.0.1:${httpPort}`, '--tcp', `127.0.0.1:${tcpPort}`],
    pin: 'datapath',
    ready: /"event":\s*"ready"/,
  })
  try {
    const path = { target: { host: '127.0.0.1', ...ports }, client: bed.client }
    const firing = await driver.fire(path, { cell, seed: 1 }, { signal, measuring() {}, measured() {} })
    if (firing.latencyHdr === null) return null
    const histogram = decodeFromCompressedBase64(firing.latencyHdr)
    return histogram.totalCount > 0 ? histogram.getValueAtPercentile(50) : null
  } finally {
    await echo.stop()
  }
}
