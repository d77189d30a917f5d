/**
 * The in-Pod rules of Istio's pull request 60876 (open when this was written) for Kata pods whose network is routed
 * (`l3forwarding`): the application's packets come in from the tap, so PREROUTING captures them, where an ordinary pod's are captured in OUTPUT;
 * and since the pod's address is routed to the guest, packets for the node proxy's own sockets must be marked to stay.
 */
import { ambientInPod, ambientPorts, proxyMark } from './istio-ambient.ts'
import type { RuleSet } from './rule-set.ts'

const keep = '-j MARK --set-xmark 0x111/0xfff'
const mark = `0x${proxyMark.toString(16)}/0xfff`
const raw = ambientInPod.tables.filter(({ name }) => name === 'raw')

/** Of the pod that the rules are for. */
export interface KataPod {
  readonly address: string
  /** Address that probes get inside, where the guest would not know the host's: its default gateway. */
  readonly gateway: string
}

export const ambientKata = ({ address, gateway }: KataPod): RuleSet => ({
  name: 'ambient for Kata pods',
  source: 'istio/istio pull request 60876, cni/pkg/iptables/iptables_kata.go, and a guard of this project',
  settings: { 'net.ipv4.conf.all.route_localnet': '1' },
  tables: [
    {
      name: 'mangle',
      chains: ['ISTIO_PRERT', 'ISTIO_OUTPUT'],
      rules: [
        { chain: 'PREROUTING', spec: '-j ISTIO_PRERT', about: 'what enters the namespace, from the node or the guest' },
        { chain: 'OUTPUT', spec: '-j ISTIO_OUTPUT', about: 'what the node proxy sends from its sockets here' },
        { chain: 'ISTIO_PRERT', spec: '-s 169.254.7.127 -p tcp -j ACCEPT', about: 'kubelet probes' },
        {
          id: 'mark-eth0',
          chain: 'ISTIO_PRERT',
          spec: `-i eth0 -p tcp ${keep}`,
          about: 'TCP from the node is for the node proxy’s sockets, not for the guest',
        },
        {
          id: 'mark-socket',
          chain: 'ISTIO_PRERT',
          spec: `-p tcp -m socket ${keep}`,
          about: 'and so is what belongs to a socket here: replies of the guest to a taken-over source address',
        },
        {
          id: 'mark-dns',
          chain: 'ISTIO_PRERT',
          spec: `-i eth0 -p udp --sport 53 ${keep}`,
          about: 'answers to the node proxy’s own DNS',
        },
        {
          id: 'mark-hbone',
          chain: 'ISTIO_OUTPUT',
          spec: `-d ${address}/32 -p tcp --dport ${ambientPorts.inboundHbone} ${keep}`,
          about: 'a node proxy that calls this pod stays in the namespace',
        },
      ],
    },
    {
      name: 'nat',
      chains: ['ISTIO_OUTPUT', 'ISTIO_PRERT', 'ISTIO_POSTRT'],
      rules: [
        { chain: 'OUTPUT', spec: '-j ISTIO_OUTPUT', about: 'a chain that stays empty' },
        { chain: 'PREROUTING', spec: '-j ISTIO_PRERT', about: 'new connections, from the node or the guest' },
        {
          id: 'dns-udp',
          chain: 'ISTIO_PRERT',
          spec: `-i tap0_kata -p udp -m udp --dport 53 -j DNAT --to-destination 127.0.0.1:${ambientPorts.dns}`,
          about: 'DNS capture',
        },
        {
          id: 'dns-tcp',
          chain: 'ISTIO_PRERT',
          spec: `-i tap0_kata -p tcp --dport 53 -j DNAT --to-destination 127.0.0.1:${ambientPorts.dns}`,
          about: 'DNS capture',
        },
        {
          id: 'redirect-15001',
          chain: 'ISTIO_PRERT',
          spec: `-i tap0_kata -p tcp -j REDIRECT --to-ports ${ambientPorts.outbound}`,
          about: 'the application’s connections are captured as they come out of the guest',
        },
        { chain: 'POSTROUTING', spec: '-j ISTIO_POSTRT', about: 'what leaves for the guest' },
        {
          chain: 'ISTIO_POSTRT',
          spec: `-s 169.254.7.127 -o tap0_kata -j SNAT --to-source ${gateway}`,
          about: 'kubelet probes come from an address that the guest can answer',
        },
        { chain: 'ISTIO_PRERT', spec: '-s 169.254.7.127 -p tcp -m tcp -j ACCEPT', about: 'kubelet probes' },
        {
          id: 'redirect-15006',
          chain: 'ISTIO_PRERT',
          spec: `! -d 127.0.0.1/32 -p tcp ! --dport ${ambientPorts.inboundHbone} -m mark ! --mark ${mark} -j REDIRECT --to-ports ${ambientPorts.inboundPlaintext}`,
          about: 'plaintext from outside the mesh goes to the node proxy',
        },
      ],
    },
    ...raw,
    {
      name: 'filter',
      chains: [],
      rules: [
        {
          id: 'guard',
          chain: 'FORWARD',
          spec: '-i tap0_kata -p tcp -j DROP',
          about:
            'not Istio’s: what a guest still sends on a connection whose socket the node proxy has just closed is routed on to the caller in plaintext (seen at streams that end in the middle); here it is dropped and counted',
        },
      ],
    },
  ],
  routes: ambientInPod.routes.map((route) => ({
    ...route,
    about: 'what is marked stays in the namespace, although the pod’s address is routed to the guest',
  })),
})
