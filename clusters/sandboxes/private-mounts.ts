/**
 * What a sandbox's processes see of the file system and nobody else does, in a mount namespace that ends with them: memory
 * from which programs may run (a User Mode Linux guest runs the pages of its memory file), with the sandbox's programs in
 * it, since its user may be unable to reach the project; and a tun device that this user may open.
 */
import { sandboxUid } from './dwelling.ts'

export interface PrivateMounts {
  /** Mount point of the memory. */
  readonly memory: string
  readonly megabytes: number
  /** Files of the host, copied into the memory. */
  readonly programs: readonly string[]
}

/** MISC_MAJOR and TUN_MINOR (linux/major.h, linux/miscdevice.h). */
const tunDevice = 'c 10 200'

const script = `
memory=$1 size=$2 owner=$3 programs=$4; shift 4
mount -t tmpfs -o "mode=700,size=\${size}m,uid=$owner,gid=$owner" dpb-sandbox "$memory"
while [ "$programs" -gt 0 ]; do cp "$1" "$memory/" && chmod 755 "$memory/\${1##*/}"; shift; programs=$((programs - 1)); done
if [ -d /dev/net ]; then mount -t tmpfs -o mode=755 dpb-sandbox /dev/net; mknod -m 666 /dev/net/tun ${tunDevice}; fi
exec "$@"`

/** For `SpawnSpec.prepare`. */
export const privateMounts = ({ memory, megabytes, programs }: PrivateMounts): readonly string[] => [
  'unshare',
  '--mount',
  '--',
  'sh',
  '-ec',
  script,
  'private-mounts',
  memory,
  String(megabytes),
  String(sandboxUid),
  String(programs.length),
  ...programs,
]
