/**
 * The rules of Istio's sidecar as istio-init writes them: `istio-iptables -p 15001 -z 15006 -u 1337 -m REDIRECT -i * -x ""
 * -b * -d 15090,15021,15020`, DNS capture off. Rules 1, 4 and 9 are those of the talk. They hold their numbers only for
 * istio-init without DNS capture and without exclusions, so facts match rules by id, never by position.
 */
import type { Rule, RuleSet } from './rule-set.ts'

/** uid and gid of the proxy. */
export const proxyUid = 1337
export const sidecarPorts = {
  outbound: 15001,
  inbound: 15006,
  hbone: 15008,
  statsExcluded: [15090, 15021, 15020],
} as const

const inbound: readonly Rule[] = [
  {
    id: 'hbone',
    chain: 'ISTIO_INBOUND',
    spec: `-p tcp --dport ${sidecarPorts.hbone} -j RETURN`,
    about: 'HBONE is the proxy’s own',
  },
  {
    id: 'redirect-15001',
    chain: 'ISTIO_REDIRECT',
    spec: `-p tcp -j REDIRECT --to-ports ${sidecarPorts.outbound}`,
    about: 'to the proxy, outbound',
  },
  {
    id: 'redirect-15006',
    chain: 'ISTIO_IN_REDIRECT',
    spec: `-p tcp -j REDIRECT --to-ports ${sidecarPorts.inbound}`,
    about: 'to the proxy, inbound',
  },
  { id: 'prerouting', chain: 'PREROUTING', spec: '-p tcp -j ISTIO_INBOUND', about: 'everything that enters the pod' },
  ...sidecarPorts.statsExcluded.map((port) => ({
    chain: 'ISTIO_INBOUND',
    spec: `-p tcp --dport ${port} -j RETURN`,
    about: 'health and metrics of the proxy itself',
  })),
  { id: 'inbound', chain: 'ISTIO_INBOUND', spec: '-p tcp -j ISTIO_IN_REDIRECT', about: 'application ports' },
]

const selfCall = (owner: 'uid' | 'gid'): Rule => ({
  chain: 'ISTIO_OUTPUT',
  spec: `-o lo ! -d 127.0.0.1/32 -p tcp ! --dport ${sidecarPorts.hbone} -m owner --${owner}-owner ${proxyUid} -j ISTIO_IN_REDIRECT`,
  about: 'the proxy calls its own pod by its address: through the inbound side',
})

const output: readonly Rule[] = [
  { chain: 'OUTPUT', spec: '-j ISTIO_OUTPUT', about: 'everything that the pod sends' },
  {
    id: 'rule-1',
    chain: 'ISTIO_OUTPUT',
    spec: '-o lo -s 127.0.0.6/32 -j RETURN',
    about: 'rule 1: inbound leg, proxy to application',
  },
  selfCall('uid'),
  { chain: 'ISTIO_OUTPUT', spec: `-o lo -m owner ! --uid-owner ${proxyUid} -j RETURN`, about: 'application to itself' },
  {
    id: 'rule-4',
    chain: 'ISTIO_OUTPUT',
    spec: `-m owner --uid-owner ${proxyUid} -j RETURN`,
    about: 'rule 4: the proxy’s own traffic leaves',
  },
  selfCall('gid'),
  { chain: 'ISTIO_OUTPUT', spec: `-o lo -m owner ! --gid-owner ${proxyUid} -j RETURN`, about: 'application to itself' },
  { chain: 'ISTIO_OUTPUT', spec: `-m owner --gid-owner ${proxyUid} -j RETURN`, about: 'the proxy by its group' },
  { chain: 'ISTIO_OUTPUT', spec: '-d 127.0.0.1/32 -j RETURN', about: 'loopback' },
  {
    id: 'rule-9',
    chain: 'ISTIO_OUTPUT',
    spec: '-j ISTIO_REDIRECT',
    about: 'rule 9: the application’s traffic is captured',
  },
]

/** The REDIRECT rule set of istio-init. */
export const sidecarRedirect: RuleSet = {
  name: 'sidecar REDIRECT (istio-init)',
  source: 'istio/istio 1.30.3 tools/istio-iptables/pkg/capture',
  tables: [
    {
      name: 'nat',
      chains: ['ISTIO_INBOUND', 'ISTIO_REDIRECT', 'ISTIO_IN_REDIRECT', 'ISTIO_OUTPUT'],
      rules: [...inbound, ...output],
    },
  ],
  routes: [],
}
