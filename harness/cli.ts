/** The command line: finds the command, runs it, and turns whatever goes wrong into one line and an exit code. */
import { commands } from './commands/index.ts'
import { BenchError, CommandError, type ExitName, exitCodes } from './errors.ts'
import { didYouMean } from './nearest.ts'
import { help, parse } from './options.ts'
import { red } from './terminal.ts'

function overview(): string {
  const width = Math.max(...commands.map((command) => command.name.length))
  const rows = commands.map((command) => `  npm run ${command.name.padEnd(width)}  ${command.about}`)
  return ['datapath-bench: what each service-mesh datapath costs here', '', ...rows].join('\n')
}

async function main(argv: readonly string[]): Promise<ExitName> {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === '-h') {
    process.stdout.write(`${overview()}\n`)
    return name === undefined ? 'usage' : 'ok'
  }
  const command = commands.find((candidate) => candidate.name === name)
  if (!command) {
    const names = commands.map((candidate) => candidate.name)
    throw new BenchError('usage', `unknown command ${name}`, didYouMean(name, names))
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    process.stdout.write(`${help(command)}\n`)
    return 'ok'
  }
  return command.run(await parse(command, rest))
}

function complain(error: unknown): ExitName {
  if (error instanceof BenchError) {
    process.stderr.write(`${red(error.line())}\n`)
    return error.exit
  }
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`${red(message.split('\n')[0] ?? message)}\n`)
  if (process.env['DPB_DEBUG'] && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  return error instanceof CommandError ? 'failed' : 'internal'
}

// a closed pipe (`… | head`) is the reader's choice, not an error
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})
process.exitCode = exitCodes[await main(process.argv.slice(2)).catch(complain)].code
