/**
 * What a sandbox's processes see of the file system and nobody else does, in a mount namespace that ends with them: memory
 * from which programs may run (a User Mode Linux guest runs the pages of its memory file), with the sandbox's files in it,
 * since its user may be unable to reach the project; and tun and KVM devices that this user may open.
 */
import { sandboxUid } from '../providers/local/names.ts'

export interface PrivateMounts {
  /** Mount point of the memory. */
  readonly memory: string
  readonly megabytes: number
  /** Files of the host, copied into the memory. */
  readonly files: readonly string[]
}

/** Numbers of character devices (linux/miscdevice.h): those of the host may be root's alone. */
const script = `
memory=$1 size=$2 owner=$3 files=$4; shift 4
mount -t tmpfs -o "mode=700,size=\${size}m,uid=$owner,gid=$owner" dpb-sandbox "$memory"
while [ "$files" -gt 0 ]; do cp "$1" "$memory/" && chmod 755 "$memory/\${1##*/}"; shift; files=$((files - 1)); done
own() { [ ! -e "$1" ] || { mknod -m 666 "$memory/\${1##*/}" c "$2" "$3"; mount --bind "$memory/\${1##*/}" "$1"; }; }
own /dev/net/tun 10 200
own /dev/kvm 10 232
exec "$@"`

/** For `SpawnSpec.prepare`. */
export const privateMounts = ({ memory, megabytes, files }: PrivateMounts): readonly string[] => [
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
  String(files.length),
  ...files,
]
