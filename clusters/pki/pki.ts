/**
 * Certificates of one visit: a root, and a leaf per workload identity with its SPIFFE id as the only name (ECDSA P-256, as
 * Istio's default for workload keys). Made by openssl, kept on tmpfs, gone with the visit.
 */
import { chown, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sh } from '../../harness/shell.ts'

export const trustDomain = 'cluster.local'
/** Kubernetes namespace of the workloads, in their identities. */
export const namespace = 'bench'

/** SPIFFE id of a service account, in Istio's form. */
export const spiffeId = (serviceAccount: string): string =>
  `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`

export interface Identity {
  readonly spiffeId: string
  readonly certificateFile: string
  readonly keyFile: string
}

export interface Pki {
  readonly rootFile: string
  identity(serviceAccount: string): Identity
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-batch']

async function makeRoot(folder: string): Promise<{ root: string; rootKey: string }> {
  const root = join(folder, 'root.pem')
  const rootKey = join(folder, 'root.key')
  await sh([
    'openssl',
    'req',
    '-x509',
    ...newKey,
    '-days',
    '1',
    '-subj',
    `/O=${trustDomain}`,
    '-out',
    root,
    '-keyout',
    rootKey,
    '-addext',
    'keyUsage=critical,keyCertSign,cRLSign',
  ])
  return { root, rootKey }
}

async function makeLeaf(folder: string, signer: { root: string; rootKey: string }, account: string): Promise<Identity> {
  const certificateFile = join(folder, `${account}.pem`)
  const keyFile = join(folder, `${account}.key`)
  await sh([
    'openssl',
    'req',
    '-x509',
    ...newKey,
    '-days',
    '1',
    '-subj',
    '/',
    '-out',
    certificateFile,
    '-keyout',
    keyFile,
    '-CA',
    signer.root,
    '-CAkey',
    signer.rootKey,
    '-addext',
    `subjectAltName=critical,URI:${spiffeId(account)}`,
    '-addext',
    'basicConstraints=critical,CA:FALSE',
    '-addext',
    'keyUsage=critical,digitalSignature,keyEncipherment',
    '-addext',
    'extendedKeyUsage=serverAuth,clientAuth',
  ])
  return { spiffeId: spiffeId(account), certificateFile, keyFile }
}

/** Makes a root and one leaf per service account in `folder`; each key is readable by the given uid only. */
export async function makePki(folder: string, ownerUids: Readonly<Record<string, number>>): Promise<Pki> {
  await mkdir(folder, { recursive: true, mode: 0o711 })
  const signer = await makeRoot(folder)
  const identities = new Map<string, Identity>()
  await Promise.all(
    Object.entries(ownerUids).map(async ([account, uid]) => {
      const identity = await makeLeaf(folder, signer, account)
      identities.set(account, identity)
      await chown(identity.keyFile, uid, uid)
    }),
  )
  await writeFile(signer.rootKey, '') // nothing else is ever signed
  return {
    rootFile: signer.root,
    identity(account) {
      const identity = identities.get(account)
      if (!identity) throw new Error(`no certificate was made for ${account}`)
      return identity
    },
  }
}
