/** Kernel features, probed by using them: a file's name or a configuration line says nothing about what works. */
import { mkdir, readFile, rmdir } from 'node:fs/promises'
import { nativeTool } from '../native.ts'
import { Proc } from '../process.ts'
import { byPython, type Finding, inNamespace, probe } from './probe.ts'

/** One rule for each match and target that the modes use; all are loaded in a namespace of their own. */
const rules = {
  'iptables REDIRECT': ['nat', '-A OUTPUT -p tcp -j REDIRECT --to-ports 15001'],
  'iptables owner': ['nat', '-A OUTPUT -m owner --uid-owner 1337 -j RETURN'],
  'iptables connmark': ['mangle', '-A PREROUTING -m mark --mark 0x539/0xfff -j CONNMARK --set-xmark 0x111/0xfff'],
  'iptables TPROXY': ['mangle', '-A PREROUTING -p tcp -j TPROXY --on-port 15008 --tproxy-mark 0x400/0xfff'],
  'iptables socket': ['mangle', '-A PREROUTING -p tcp -m socket --transparent -j ACCEPT'],
} as const

const loads = (name: string, [table, rule]: readonly [string, string]): Promise<Finding> =>
  probe(name, 'load the kernel module, or use a kernel that has it', async () => {
    await inNamespace(['iptables-restore', '--wait', '2'], `*${table}\n${rule}\nCOMMIT\n`)
    return 'a rule loads'
  })

const routes = (): Promise<Finding> =>
  probe('policy routing', 'a kernel with CONFIG_IP_MULTIPLE_TABLES', async () => {
    const script =
      'ip link set lo up && ip rule add fwmark 0x111/0xfff lookup 100 && ip route add local 0.0.0.0/0 dev lo table 100'
    await inNamespace(['sh', '-c', script])
    return 'a marked packet can have its own routes'
  })

const packets = (): Promise<Finding> =>
  probe(
    'AF_PACKET',
    'allow packet sockets (CAP_NET_RAW)',
    async () => {
      const argv = ['unshare', '--net', nativeTool('wiretap'), '--interface', 'lo']
      const tap = await Proc.start({ name: 'dpb-wiretap', argv, ready: /"ready"/, readyTimeoutMs: 5000 })
      await tap.stop()
      return 'a tap opens'
    },
    (why) => why.includes('not built'),
  )

/** Makes and removes a group of its own: a mounted hierarchy may still be read-only. */
async function makesGroup(parent: string): Promise<void> {
  const folder = `${parent}/dpb-doctor-${process.pid}`
  await mkdir(folder)
  await rmdir(folder)
}

const groups = (): Promise<Finding> =>
  probe('control groups', 'CPU is read from /proc instead: short-lived children may be missed', async () => {
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
  probe('PSI', 'boot with psi=1; without it the host’s pressure is not known', async () => {
    const some = (await readFile('/proc/pressure/cpu', 'utf8')).split('\n')[0] ?? ''
    return `cpu ${/avg10=\S+/.exec(some)?.[0] ?? 'readable'}`
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
export async function probeKernel(): Promise<{ readonly needed: Finding[]; readonly optional: Finding[] }> {
  const names = Object.keys(rules) as (keyof typeof rules)[]
  return {
    needed: await Promise.all([...names.map((name) => loads(name, rules[name])), routes(), packets()]),
    optional: await Promise.all([
      groups(),
      pressure(),
      probe('BPF', 'not needed by the modes of today', () => byPython(bpfScript), noPython),
      probe('KVM', 'not needed by the modes of today', () => byPython(kvmScript), noPython),
    ]),
  }
}
