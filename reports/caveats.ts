/** What must stand beside every figure of some modes: which second kernel stands in for which, and who went past the mesh. */
import type { Analysis, ModeView } from './analysis.ts'

/** What each sandbox is, and what it stands for. */
export const sandboxes: Readonly<Record<string, { readonly title: string; readonly means: string }>> = {
  uml: {
    title: 'User Mode Linux',
    means:
      'User Mode Linux stands in for a Kata VM: a real second Linux kernel, but in a process of the host, where every system call of the application costs about 14 µs more than in a VM',
  },
  qemu: { title: 'QEMU with KVM', means: 'a virtual machine of QEMU with KVM, as Kata starts it' },
  'qemu-tcg': {
    title: 'QEMU under emulation',
    means: 'QEMU without KVM stands in for a Kata VM: the processor is emulated, so that its times mean nothing',
  },
}

const listed = (modes: readonly ModeView[]): string => modes.map(({ name }) => name).join(', ')

const inSandbox = (run: Analysis): Map<string, ModeView[]> => {
  const found = new Map<string, ModeView[]>()
  for (const mode of run.modes)
    if (mode.sandbox !== 'none') found.set(mode.sandbox, [...(found.get(mode.sandbox) ?? []), mode])
  return found
}

/** One sentence for each sandbox of the run and for each mode that is bypassed; short, for captions. */
export function caveats(run: Analysis): string[] {
  const kernels = [...inSandbox(run)].map(
    ([name, modes]) => `Sandbox ${name} (${sandboxes[name]?.means ?? name}): ${listed(modes)}.`,
  )
  const bypassed = run.modes.filter((mode) => mode.bypassed !== '')
  return [...kernels, ...(bypassed.length > 0 ? [`Bypassed, the mesh sees nothing of it: ${listed(bypassed)}.`] : [])]
}

/** The same in a few words, for the foot of a picture that travels alone. */
export function briefCaveats(run: Analysis): string {
  const kernels = [...inSandbox(run)].map(([name, modes]) => `${listed(modes)}: sandbox ${name}`)
  const bypassed = run.modes.filter((mode) => mode.bypassed !== '')
  return [...kernels, ...(bypassed.length > 0 ? [`${listed(bypassed)}: bypassed`] : [])]
    .map((text) => `; ${text}`)
    .join('')
}

/** Words behind a mode's name: `uml, client`, `bypassed`. */
export function tags({ sandbox, sandboxed, proxy, bypassed }: ModeView): string[] {
  const ends: Readonly<Record<string, string>> = { client: 'client', server: 'server', both: 'both ends' }
  return [
    ...(sandbox === 'none' ? [] : [`sandbox ${sandbox}: ${ends[sandboxed] ?? sandboxed}`]),
    ...(proxy === 'tunnel' ? ['proxy tunnel'] : []),
    ...(bypassed === '' ? [] : ['bypassed']),
  ]
}
