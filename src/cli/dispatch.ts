import { COMMANDS } from './commands.ts'
import { runCommand } from './run-command.ts'

/** Runs what these words ask for; nothing is loaded that it does not need (`test/cli/loaded-modules.test.ts`). */
export async function run(words: readonly string[]): Promise<void> {
  const [first = '', ...rest] = words
  if (first === 'help') return help(rest)
  const command = COMMANDS.get(first)
  if (command !== undefined) return runCommand(first, rest, await command())
  if (first === 'log') return (await import('./log-command.ts')).main(rest)
  if (first === 'serve') return serve(rest)
  const isServer = first === '' || first.startsWith('-')
  if (isServer && !words.some((word) => TOLD_AT_ONCE.has(word))) return serve(words)
  await (await import('./about.ts')).about(words)
}

/** `pubsubd help publish` is `pubsubd publish --help`. */
async function help([topic, ...rest]: readonly string[]): Promise<void> {
  await (topic === undefined ? run(['--help']) : run([topic, ...rest, '--help']))
}

async function serve(words: readonly string[]): Promise<void> {
  if (words.some((word) => TOLD_AT_ONCE.has(word))) return (await import('./about.ts')).about(words)
  // First of all, because it begins the process anew; nothing else may have been loaded by then.
  const { runWithFlags } = await import('./node-flags.ts')
  runWithFlags()
  // Behind that, as a process that begins anew has the kernel's defaults; and before all that takes its time.
  const { ServerSignals } = await import('./server-signals.ts')
  const signals = new ServerSignals()
  const { main } = await import('./serve.ts')
  await main(words, signals)
}

/** Nothing else has to be loaded for these. */
const TOLD_AT_ONCE: ReadonlySet<string> = new Set(['--help', '-h', '--version'])
