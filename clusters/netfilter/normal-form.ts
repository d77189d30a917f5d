/**
 * iptables prints rules back in its own words (`--dport 53` becomes `-m tcp --dport 53`, `--set-mark 1337` becomes
 * `--set-xmark 0x539/0xffffffff`, options move). Two rules are the same if their normal forms are.
 */
const implied = new Set(['tcp', 'udp'])
const longForms: Readonly<Record<string, string>> = {
  '--to-port': '--to-ports',
  '--source': '-s',
  '--destination': '-d',
  '--match': '-m',
  '--protocol': '-p',
  '--in-interface': '-i',
  '--out-interface': '-o',
  '--jump': '-j',
}

/** Decimal and hexadecimal numbers, with or without mask, as iptables prints marks. */
function number(value: string): string {
  return value
    .split('/')
    .map((part) => (/^(0x[0-9a-f]+|\d+)$/i.test(part) ? `0x${Number(part).toString(16)}` : part))
    .join('/')
}

function options(spec: string): string[] {
  const found: string[] = []
  let negated = false
  for (const word of spec.trim().split(/\s+/)) {
    if (word === '!') {
      negated = true
    } else if (word.startsWith('-') || found.length === 0) {
      found.push(`${negated ? '! ' : ''}${longForms[word] ?? word}`)
      negated = false
    } else {
      found[found.length - 1] += ` ${word}`
    }
  }
  return found
}

function canonical(option: string): string | undefined {
  const bare = option.replace(/^! /, '')
  const no = option.startsWith('! ') ? '! ' : ''
  const [flag = '', value = ''] = bare.split(/ (.*)/)
  switch (flag) {
    case '-m':
      return implied.has(value) ? undefined : bare
    case '--set-mark':
      return `--set-xmark ${value.includes('/') ? number(value) : `${number(value)}/0xffffffff`}`
    case '--set-xmark':
    case '--tproxy-mark':
      return `${flag} ${value.includes('/') ? number(value) : `${number(value)}/0xffffffff`}`
    case '--mark':
      return `${no}--mark ${number(value).replace(/\/0xffffffff$/, '')}`
    case '--nfmask':
    case '--ctmask':
      return value === '0xffffffff' ? undefined : `${flag} ${number(value)}`
    case '-s':
    case '-d':
      return `${no}${flag} ${/^[\d.]+$/.test(value) ? `${value}/32` : value}`
    case '--on-ip':
      return value === '0.0.0.0' ? undefined : bare
    default:
      return `${no}${bare}`
  }
}

/** The rule's options in a fixed order and spelling. */
export function normalForm(spec: string): string {
  return options(spec)
    .map(canonical)
    .filter((option) => option !== undefined)
    .sort()
    .join(' ')
}
