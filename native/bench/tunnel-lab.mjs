/** Two nodes with a pod each in namespaces of their own, for native/bench/tunnel.mjs and tests: laid, and always taken down. */
import { spawn, spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { register } from 'tsx/esm/api'

register()
const from = (path) => import(new URL(`../../${path}`, import.meta.url).href)
const { addNamespaces, layNodes, layPod } = await from('clusters/providers/local/topology.ts')
const { claimState } = await from('clusters/providers/local/leftovers.ts')
const { netnsName, netnsPath, nodePlans, podAddress, echoPorts, stateDir } = await from(
  'clusters/providers/local/names.ts',
)
const { ambientInPod, proxyMark } = await from('clusters/netfilter/istio-ambient.ts')
const { proxyUid, sidecarRedirect } = await from('clusters/netfilter/istio-sidecar.ts')
const { layRules } = await from('clusters/netfilter/netfilter.ts')
const { makePki, spiffeId } = await from('clusters/pki/pki.ts')
const { nodeProxyBootstrap } = await from('clusters/envoy/node-proxy.ts')
const { bootstrap } = await from('clusters/envoy/blocks.ts')
const { Scope } = await from('harness/scope.ts')
const { sh } = await from('harness/shell.ts')

export { echoPorts, Scope }

const pinned = (cpus) => (cpus === undefined ? [] : ['taskset', '-c', cpus])

/** Starts a command in a namespace, pinned to `cpus` if given; resolves once `ready` was seen on its stdout or `isReady` says so. */
export async function start(scope, netns, cpus, argv, isReady) {
  // Dies with this process, however that ends.
  const dying = ['setpriv', '--pdeathsig', 'KILL']
  const child = spawn('nsenter', [`--net=${netnsPath(netns)}`, '--', ...pinned(cpus), ...dying, ...argv], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = []
  const waiting = []
  let rest = ''
  child.stdout.on('data', (data) => {
    const parts = (rest + data).split('\n')
    rest = parts.pop() ?? ''
    for (const line of parts) (waiting.shift() ?? ((unasked) => lines.push(unasked)))(line)
  })
  const nextLine = () => (lines.length > 0 ? Promise.resolve(lines.shift()) : new Promise((done) => waiting.push(done)))
  const ended = new Promise((done) => child.once('exit', done))
  const stop = async () => {
    child.kill()
    await ended
  }
  scope.defer(argv[0], stop)
  const failed = ended.then((code) => Promise.reject(new Error(`${argv.join(' ')} ended with ${code}`)))
  failed.catch(() => undefined)
  await Promise.race([isReady ? isReady() : nextLine(), failed])
  return {
    pid: child.pid,
    ended,
    /** The next line that it says unasked. */
    line: nextLine,
    async ask(line) {
      child.stdin.write(`${line}\n`)
      return JSON.parse(await nextLine())
    },
  }
}

/** Lays nodes, pods, rules (in-Pod, or a sidecar's) and certificates, and starts the echo server. */
export async function layLab(scope, name, cpus, echoBinary, kind = 'node') {
  // Claimed as a run's: else the next run would take it for a dead one's and remove it, as it should if we die.
  claimState(name)
  const folder = stateDir(name)
  scope.defer(folder, () => rmSync(folder, { recursive: true }))
  await addNamespaces(
    ['n1', 'n2', 'client', 'server'].map((role) => netnsName(name, role)),
    scope,
  )
  await layNodes(name)
  const pki = await makePki(join(folder, 'pki'), { client: keyOwner[kind], server: keyOwner[kind] })
  const pods = ['client', 'server'].map((role, index) => ({
    role,
    netns: netnsName(name, role),
    node: netnsName(name, nodePlans[index].role),
    address: podAddress(nodePlans[index], role),
  }))
  const [client, server] = pods
  for (const [index, pod] of pods.entries()) {
    await layPod(name, pod.role, nodePlans[index])
    const inside = ['nsenter', `--net=${netnsPath(pod.netns)}`, '--']
    await layRules(
      { run: (argv, input) => sh([...inside, ...argv], input === undefined ? {} : { input }) },
      kind === 'sidecar' ? sidecarRedirect : ambientInPod,
    )
  }
  const listen = ['--http', `0.0.0.0:${echoPorts.http}`, '--tcp', `0.0.0.0:${echoPorts.tcp}`]
  const echo = await start(scope, server.netns, cpus, [echoBinary, ...listen])
  return { folder, pki, client, server, echo }
}

const keyOwner = { node: 0, sidecar: proxyUid }
const other = (lab, pod) => (pod === lab.client ? lab.server : lab.client)

/** dpb-tunnel as the node proxy of one pod, or as its sidecar. */
export async function startTunnel(scope, lab, pod, cpus, binary, kind = 'node') {
  const file = join(lab.folder, `${pod.role}-tunnel.json`)
  const identity = lab.pki.identity(pod.role)
  const peer = spiffeId(other(lab, pod).role)
  const config = {
    name: pod.role,
    address: pod.address,
    ...(kind === 'node' ? { netns: netnsPath(pod.netns), mark: proxyMark, capture: true } : { mark: 0, sidecar: true }),
    certificate: identity.certificateFile,
    key: identity.keyFile,
    roots: lab.pki.rootFile,
    reaches: [{ to: other(lab, pod).address, peer }],
    admits: [peer],
  }
  writeFileSync(file, JSON.stringify({ pods: [config] }))
  const argv = [binary, '--config', file]
  if (kind === 'node') return start(scope, pod.node, cpus, argv)
  const user = [`--reuid=${proxyUid}`, `--regid=${proxyUid}`, '--clear-groups', '--bounding-set', '-all']
  return start(scope, pod.netns, cpus, ['setpriv', '--no-new-privs', '--pdeathsig', 'KILL', ...user, ...argv])
}

/** Envoy as the node proxy of one pod. */
export async function startEnvoy(scope, lab, pod, cpus, binary) {
  const admin = join(lab.folder, `${pod.role}-envoy.admin`)
  const file = join(lab.folder, `${pod.role}-envoy.json`)
  const reaches = { address: other(lab, pod).address, peer: spiffeId(other(lab, pod).role) }
  const enrolled = {
    name: pod.role,
    address: pod.address,
    entrance: { kind: 'redirect', netnsPath: netnsPath(pod.netns) },
    identity: lab.pki.identity(pod.role),
    reaches,
    admits: reaches.peer,
  }
  rmSync(admin, { force: true })
  writeFileSync(file, JSON.stringify(bootstrap(nodeProxyBootstrap(pod.role, admin, lab.pki, [enrolled]))))
  const argv = [binary, '-c', file, '--concurrency', '1', '--disable-hot-restart', '--log-level', 'error']
  const curl = ['-s', '--unix-socket', admin, 'http://envoy/stats?filter=workers_started']
  const isReady = async () => {
    while (!String(spawnSync('curl', curl).stdout).includes('workers_started: 1')) {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  return start(scope, pod.node, cpus, argv, isReady)
}

/** Fires dpb-load in the client pod; its result line. */
export function fire(lab, cpus, binary, load) {
  const target = ['--target', lab.server.address, '--http-port', String(echoPorts.http)]
  const argv = [binary, ...target, '--tcp-port', String(echoPorts.tcp), '--seed', '1', ...load]
  const inside = [`--net=${netnsPath(lab.client.netns)}`, '--', ...pinned(cpus), ...argv]
  const done = spawnSync('nsenter', inside, { encoding: 'utf8', maxBuffer: 1 << 26 })
  const line = done.stdout.trim().split('\n').at(-1) ?? ''
  if (done.status !== 0) throw new Error(`${argv.join(' ')} failed: ${done.stderr} ${line}`)
  return JSON.parse(line)
}
