#!/usr/bin/env node
import { COMMANDS } from './commands.ts'
import { runWithFlags } from './node-flags.ts'
import { runCommand } from './run-command.ts'

const words = process.argv.slice(2)
const [name, ...rest] = words
const command = COMMANDS.get(name ?? '')
if (command !== undefined) await runCommand(name!, rest, await command())
else if (name === 'log') {
  const { main } = await import('./log-command.ts')
  await main(rest)
} else {
  // First of all, because it begins the process anew; nothing else may have been loaded by then.
  runWithFlags()
  const { main } = await import('./serve.ts')
  await main(words)
}
