/**
 * The rules that istio-cni writes into an ambient pod's own namespace (in-Pod redirection), DNS capture on, which is the
 * default. It is REDIRECT, not TPROXY; the node proxy marks its own sockets 0x539, and table 100 brings back replies to
 * connections whose source address the proxy has taken over from the client.
 */
import type { RuleSet } from './rule-set.ts'

/** SO_MARK of the node proxy's sockets (1337). */
export const proxyMark = 0x539
export const ambientPorts = { outbound: 15001, inboundPlaintext: 15006, inboundHbone: 15008, dns: 15053 } as const

const notProxy = '-m mark ! --mark 0x539/0xfff'

/** The in-Pod rule set with its policy rule and route. */
export const ambientInPod: RuleSet = {
  name: 'ambient in-Pod',
  source: 'istio/istio 1.30.3 cni/pkg/iptables',
  tables: [
    {
      name: 'mangle',
      chains: ['ISTIO_PRERT', 'ISTIO_OUTPUT'],
      rules: [
        { chain: 'PREROUTING', spec: '-j ISTIO_PRERT', about: 'what enters the pod' },
        { chain: 'OUTPUT', spec: '-j ISTIO_OUTPUT', about: 'what the pod sends' },
        {
          id: 'connmark-set',
          chain: 'ISTIO_PRERT',
          spec: '-m mark --mark 0x539/0xfff -j CONNMARK --set-xmark 0x111/0xfff',
          about: 'remember the proxy’s connections to the application (they come in over lo, marked)',
        },
        {
          id: 'connmark-restore',
          chain: 'ISTIO_OUTPUT',
          spec: '-m connmark --mark 0x111/0xfff -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff',
          about: 'mark the application’s replies, so that table 100 keeps them in the pod',
        },
      ],
    },
    {
      name: 'nat',
      chains: ['ISTIO_PRERT', 'ISTIO_OUTPUT'],
      rules: [
        { chain: 'OUTPUT', spec: '-j ISTIO_OUTPUT', about: 'what the pod sends' },
        { chain: 'PREROUTING', spec: '-j ISTIO_PRERT', about: 'what enters the pod' },
        { chain: 'ISTIO_PRERT', spec: '-s 169.254.7.127 -p tcp -m tcp -j ACCEPT', about: 'kubelet probes' },
        { chain: 'ISTIO_OUTPUT', spec: '-d 169.254.7.127 -p tcp -m tcp -j ACCEPT', about: 'replies to kubelet probes' },
        {
          id: 'redirect-15006',
          chain: 'ISTIO_PRERT',
          spec: `! -d 127.0.0.1/32 -p tcp ! --dport ${ambientPorts.inboundHbone} ${notProxy} -j REDIRECT --to-ports ${ambientPorts.inboundPlaintext}`,
          about: 'plaintext from outside the mesh goes to the node proxy',
        },
        {
          id: 'dns-udp',
          chain: 'ISTIO_OUTPUT',
          spec: `! -o lo -p udp ${notProxy} -m udp --dport 53 -j REDIRECT --to-port ${ambientPorts.dns}`,
          about: 'DNS capture',
        },
        {
          id: 'dns-tcp',
          chain: 'ISTIO_OUTPUT',
          spec: `! -d 127.0.0.1/32 -p tcp --dport 53 ${notProxy} -j REDIRECT --to-ports ${ambientPorts.dns}`,
          about: 'DNS capture',
        },
        {
          chain: 'ISTIO_OUTPUT',
          spec: '-p tcp -m mark --mark 0x111/0xfff -j ACCEPT',
          about: 'replies of the application to the proxy',
        },
        {
          chain: 'ISTIO_OUTPUT',
          spec: '! -d 127.0.0.1/32 -o lo -j ACCEPT',
          about: 'a pod that calls itself is not captured',
        },
        {
          id: 'redirect-15001',
          chain: 'ISTIO_OUTPUT',
          spec: `! -d 127.0.0.1/32 -p tcp ${notProxy} -j REDIRECT --to-ports ${ambientPorts.outbound}`,
          about: 'the application’s traffic is captured by the node proxy’s socket in the pod',
        },
      ],
    },
    {
      name: 'raw',
      chains: ['ISTIO_OUTPUT', 'ISTIO_PRERT'],
      rules: [
        { chain: 'PREROUTING', spec: '-j ISTIO_PRERT', about: 'what enters the pod' },
        { chain: 'OUTPUT', spec: '-j ISTIO_OUTPUT', about: 'what the pod sends' },
        {
          chain: 'ISTIO_OUTPUT',
          spec: '-p udp -m mark --mark 0x539/0xfff -m udp --dport 53 -j CT --zone 1',
          about: 'the proxy’s own DNS has its own conntrack zone',
        },
        {
          chain: 'ISTIO_PRERT',
          spec: '-p udp -m mark ! --mark 0x539/0xfff -m udp --sport 53 -j CT --zone 1',
          about: 'and the answers to it',
        },
      ],
    },
  ],
  routes: [
    {
      rule: ['fwmark', '0x111/0xfff', 'pref', '32764', 'lookup', '100'],
      route: ['local', '0.0.0.0/0', 'dev', 'lo', 'table', '100'],
      about: 'replies to connections with a taken-over source address stay in the pod',
    },
  ],
}
