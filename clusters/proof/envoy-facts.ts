/** Facts about Envoy that several modes share: which software it is, and with whom it speaks TLS. */
import type { Fact, Observation } from '../../harness/contracts.ts'
import { envoyVersion } from '../envoy/envoy.ts'
import { is, none, same, some } from './judge.ts'

/** The real release build, at the concurrency that the run gives every proxy, without request logs. */
export const standsAsPinned = (name: string, prefix: string, now: Observation, concurrency: number): Fact =>
  is(
    `${name} is the pinned release build of Envoy, concurrency ${concurrency}, log level warning`,
    now,
    `${prefix}.software`,
    `envoy ${envoyVersion} RELEASE, concurrency ${concurrency}, log warning`,
  )

/** Statistics of an upstream TLS cluster that `callsOnlyByTls` reads. */
export const upstreamTlsStats = (...clusters: readonly string[]): Record<string, readonly string[]> => ({
  upstreamOpened: clusters.map((name) => `cluster.${name}.upstream_cx_total`),
  upstreamFailed: clusters.map((name) => `cluster.${name}.upstream_cx_connect_fail`),
  upstreamHandshakes: clusters.map((name) => `cluster.${name}.ssl.handshake`),
  upstreamTls13: clusters.map((name) => `cluster.${name}.ssl.versions.TLSv1.3`),
  upstreamWrongSan: clusters.map((name) => `cluster.${name}.ssl.fail_verify_san`),
})

/** Since its start, every upstream connection was TLS 1.3 with exactly the expected server identity. */
export function callsOnlyByTls(name: string, prefix: string, now: Observation, peer: string): Fact[] {
  const count = (key: string): number => now.counters[`${prefix}.${key}`] ?? Number.NaN
  return [
    same(`${name}: every upstream connection is TLS 1.3 to ${peer}`, {
      'upstream connections': count('upstreamOpened') - count('upstreamFailed'),
      handshakes: count('upstreamHandshakes'),
      'of them TLS 1.3': count('upstreamTls13'),
    }),
    none(`${name}: no server showed another identity`, { 'SAN mismatches': count('upstreamWrongSan') }),
  ]
}

/** Statistics of a TLS listener that `admitsOnlyByTls` reads; `filters` are the prefixes of its connection managers. */
export const downstreamTlsStats = (listener: string, rbac: string): Record<string, readonly string[]> => ({
  accepted: [`listener.${listener}.downstream_cx_total`],
  handshakes: [`listener.${listener}.ssl.handshake`],
  tls13: [`listener.${listener}.ssl.versions.TLSv1.3`],
  admitted: [`${rbac}.rbac.allowed`],
  refused: [`${rbac}.rbac.denied`],
})

/**
 * Since its start, every accepted connection was TLS 1.3, and whoever sent a byte had exactly the expected identity. (A
 * pool may open a connection that it then does not need: handshake done, nothing sent, so nothing judged.)
 */
export function admitsOnlyByTls(name: string, prefix: string, now: Observation, peer: string): Fact[] {
  const count = (key: string): number => now.counters[`${prefix}.${key}`] ?? Number.NaN
  return [
    same(`${name}: every connection it accepted is TLS 1.3`, {
      accepted: count('accepted'),
      handshakes: count('handshakes'),
      'of them TLS 1.3': count('tls13'),
    }),
    some(`${name}: who sent something is ${peer}`, { 'connections with that identity': count('admitted') }),
    none(`${name}: nobody else was let in`, { refused: count('refused') }),
  ]
}
