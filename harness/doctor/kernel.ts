/** Kernel features, probed by using them: a file's name or a configuration line says nothing about what works. */
import { mkdir, readFile, rmdir } from 'node:fs/promises'
import { nativeTool } from '../native.ts'
import { Proc } from '../process.ts'
import { byPython, type Finding, inNamespace, probe } from './probe.ts'

/** Modes by what they need: node proxies with in-Pod rules, a sandbox behind a tap, all of them. */
const ambient = ['ambient', 'waypoint', 'kata-ambient', 'kata-ambient-tcfilter', 'kata-fast', 'kata-fast-fused']
const tapped = ['kata', 'kata-ambient', 'kata-ambient-tcfilter', 'kata-sidecar']
const sidecars = ['sidecar', 'kata-sidecar', 'kata-sidecar-out']
const every = [...new Set(['baseline', ...sidecars, ...ambient, ...tapped])]

/** A feature of the kernel, and the modes that cannot do without it. */
export interface Need extends Finding {
  readonly usedBy: readonly string[]
}

/** One rule for each target and match that the modes use; each is loaded in a namespace of its own. */
const rules = [
  ['iptables REDIRECT', [...sidecars, ...ambient], 'nat', '-A OUTPUT -p tcp -j REDIRECT --to-ports 15001'],
  ['iptables owner', sidecars, 'nat', '-A OUTPUT -m owner --uid-owner 1337 -j RETURN'],
  [
    'iptables CONNMARK',
    ambient,
    'mangle',
    '-A PREROUTING -m mark --mark 0x539/0xfff -j CONNMARK --set-xmark 0x111/0xfff',
  ],
  [
    'iptables socket',
    ['kata-ambient', 'kata-ambient-tcfilter'],
    'mangle',
    '-A PREROUTING -p tcp -m socket -j MARK --set-xmark 0x111/0xfff',
  ],
  ['iptables CT zones', ambient, 'raw', '-A OUTPUT -p udp -m udp --dport 53 -j CT --zone 1'],
] as const

async function loads([name, usedBy, table, rule]: (typeof rules)[number]): Promise<Need> {
  const found = await probe(name, 'load the kernel’s module, or use a kernel that has it', async () => {
    await inNamespace(['iptables-restore', '--wait', '2'], `*${table}\n${rule}\nCOMMIT\n`)
    return 'a rule loads'
  })
  return { ...found, usedBy }
}

async function routes(): Promise<Need> {
  const found = await probe('policy routing', 'use a kernel with CONFIG_IP_MULTIPLE_TABLES', async () => {
    const script =
      'ip link set lo up && ip rule add fwmark 0x111/0xfff lookup 100 && ip route add local 0.0.0.0/0 dev lo table 100'
    await inNamespace(['sh', '-c', script])
    return 'marked packets can have their own routes'
  })
  return { ...found, usedBy: ambient }
}

async function taps(): Promise<Need> {
  const found = await probe('tap and tc redirect', 'load tun, cls_u32, act_mirred and sch_ingress', async () => {
    const script = [
      'ip tuntap add dev t mode tap vnet_hdr',
      'tc qdisc add dev t handle ffff: ingress',
      'tc filter add dev t parent ffff: protocol all u32 match u32 0 0 action mirred egress redirect dev lo',
    ]
    await inNamespace(['sh', '-ec', script.join('\n')])
    return 'a guest can be connected to its pod'
  })
  return { ...found, usedBy: tapped }
}

async function packets(): Promise<Need> {
  const attempt = async (): Promise<string> => {
    const argv = ['unshare', '--net', nativeTool('wiretap'), '--interface', 'lo']
    const tap = await Proc.start({ name: 'dpb-wiretap', argv, ready: /"ready"/, readyTimeoutMs: 5000 })
    await tap.stop()
    return 'the wire between the nodes can be read'
  }
  const found = await probe('packet sockets', 'allow them (CAP_NET_RAW)', attempt, (why) => why.includes('not built'))
  return { ...found, usedBy: every }
}

/** Makes and removes a group of its own: a mounted hierarchy may still be read-only. */
async function makesGroup(parent: string): Promise<void> {
  const folder = `${parent}/dpb-doctor-${process.pid}`
  await mkdir(folder)
  await rmdir(folder)
}

const groups = (): Promise<Finding> =>
  probe('control groups', 'CPU is read from /proc instead, which can miss short-lived processes', async () => {
    try {
      await readFile('/sys/fs/cgroup/cgroup.controllers')
      await makesGroup('/sys/fs/cgroup')
      return 'v2'
    } catch {
      await makesGroup('/sys/fs/cgroup/cpuacct')
      return 'v1 (cpuacct)'
    }
  })

const pressure = (): Promise<Finding> =>
  probe('PSI', 'boot with psi=1; without it the host’s pressure is not recorded', async () => {
    const some = (await readFile('/proc/pressure/cpu', 'utf8')).split('\n')[0] ?? ''
    return `CPU pressure of the last 10 s: ${/avg10=(\S+)/.exec(some)?.[1] ?? 'not shown'} %`
  })

/** BPF_MAP_CREATE of a one-entry array: number of bpf(2) by architecture, attributes as in linux/bpf.h. */
const bpfScript = `
import ctypes, os, platform, struct
number = {'x86_64': 321, 'aarch64': 280}[platform.machine()]
attributes = ctypes.create_string_buffer(struct.pack('IIII', 2, 4, 4, 1), 64)
fd = ctypes.CDLL(None, use_errno=True).syscall(number, 0, attributes, 64)
if fd < 0:
    raise SystemExit('bpf(2): ' + os.strerror(ctypes.get_errno()))
print('a map can be made')`

/** KVM_GET_API_VERSION (0xAE00) and KVM_CREATE_VM (0xAE01): a device node alone may lead to nothing. */
const kvmScript = `
import fcntl, os, sys
try:
    kvm = os.open('/dev/kvm', os.O_RDWR)
    version = fcntl.ioctl(kvm, 0xAE00)
    os.close(fcntl.ioctl(kvm, 0xAE01))
    print('API version %d, a machine can be made' % version)
except OSError as error:
    sys.exit('/dev/kvm: ' + error.strerror)`

const noPython = (why: string): boolean => /not found|No such file.*python|KeyError/.test(why)

/** All features, those that the default run needs first. */
export async function probeKernel(): Promise<{ readonly needed: Need[]; readonly optional: Finding[] }> {
  return {
    needed: await Promise.all([...rules.map(loads), routes(), taps(), packets()]),
    optional: await Promise.all([
      groups(),
      pressure(),
      probe('BPF', 'no mode needs it yet', () => byPython(bpfScript), noPython),
      probe('KVM', 'sandboxes are User Mode Linux then', () => byPython(kvmScript), noPython),
    ]),
  }
}
