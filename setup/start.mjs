/**
 * Where every command begins: does the set-up that the command needs, then starts the command line with the same
 * streams, signals and exit code. Plain Node without packages, because nothing is installed yet in a fresh clone.
 */
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { commands, goesOn, nodeProblem, stepsFor, testArguments } from './arguments.mjs'
import { installPackages } from './debian.mjs'
import { exitCodes } from './exit-codes.mjs'
import { withLock } from './lock.mjs'
import { SetupError, say } from './messages.mjs'
import { benchNeeds, missingOf, pipNeed, testNeeds } from './packages.mjs'
import { isDone, markDone } from './stamps.mjs'
import { steps } from './steps.mjs'
import { cache, root } from './versions.mjs'

/** @param {import('./arguments.mjs').StepName} name */
const isStepDone = (name) => name === 'debian' || isDone(name, steps[name].hash(), steps[name].outputs)

const hasPip = () => spawnSync('python3', ['-m', 'pip', '--version'], { stdio: 'ignore' }).status === 0

/**
 * @param {string} command
 * @param {boolean} envoyDone
 */
function missingPackages(command, envoyDone) {
  const missing = missingOf(command === 'test' ? testNeeds : benchNeeds)
  return envoyDone || hasPip() ? missing : [...missing, pipNeed]
}

/** @param {Exclude<import('./arguments.mjs').StepName, 'debian'>} name */
async function runStep(name) {
  const step = steps[name]
  if (isStepDone(name)) return
  const hash = step.hash() // before the work: a source edited meanwhile must show as new next time
  say(step.says)
  await step.run()
  markDone(name, hash)
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 */
async function setUp(command, args) {
  const needed = stepsFor(command, args)
  const missing = needed.includes('debian') ? missingPackages(command, isStepDone('envoy')) : []
  if (missing.length === 0 && needed.every(isStepDone)) return
  await withLock(join(cache, 'setup.lock'), async () => {
    await installPackages(missing, goesOn(args, process.env, Boolean(process.stdin.isTTY && process.stderr.isTTY)))
    for (const name of needed) {
      if (name === 'debian') continue
      await runStep(name).catch((cause) => {
        // doctor reports what is missing instead of stopping at it; without npm packages it cannot even start. Whoever
        // needs a sandbox says that there is none; others go on without
        const goesOnWithout = ['uml', 'qemu'].includes(name) || (command === 'doctor' && name !== 'npm')
        if (!goesOnWithout || !(cause instanceof SetupError)) throw cause
        say(cause.message)
      })
    }
  })
  say('set-up is complete')
}

/**
 * Starts Node with the same streams; forwards signals; ends as the child ends.
 * @param {readonly string[]} argv
 */
function become(argv) {
  // iptables and others lie in folders that a plain user's PATH may lack
  const PATH = `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`
  const child = spawn(process.execPath, argv, { cwd: root, stdio: 'inherit', env: { ...process.env, PATH } })
  /** @type {NodeJS.Signals[]} */
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals)
    process.on(signal, () => {
      // a terminal's Ctrl-C reaches the whole group by itself; forwarding it would make it two
      if (!(signal === 'SIGINT' && process.stdin.isTTY)) child.kill(signal)
    })
  child.once('close', (code, signal) => {
    for (const name of signals) process.removeAllListeners(name)
    if (signal) process.kill(process.pid, signal)
    else process.exitCode = code ?? exitCodes.internal
  })
}

/** @param {readonly string[]} argv */
async function main([command = '', ...args]) {
  const problem = nodeProblem(process.versions.node)
  if (problem) throw new SetupError(problem)
  if (!commands.includes(command))
    throw new SetupError(`unknown command «${command}»; one of: ${commands.join(', ')}`, exitCodes.usage)
  if (command === 'test') testArguments(args)
  if (command === 'speed' && args.some((arg) => !/^(--yes|-y)$/.test(arg)))
    throw new SetupError('npm run speed takes no options but --yes', exitCodes.usage)
  await setUp(command, args)
  if (command === 'test') become(['setup/test.mjs', ...args])
  else if (command === 'speed') become(['--import', 'tsx', 'harness/bench/speed.ts', ...args])
  else become(['--import', 'tsx', 'harness/cli.ts', command, ...args])
}

main(process.argv.slice(2)).catch((cause) => {
  const known = cause instanceof SetupError
  process.stderr.write(`${known ? cause.message : (cause?.stack ?? String(cause))}\n`)
  process.exitCode = known ? cause.exitCode : exitCodes.internal
})
