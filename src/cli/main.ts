#!/usr/bin/env node
import { runWithFlags } from './node-flags.ts'
import { runCommand } from './run-command.ts'

const words = process.argv.slice(2)
const [name, ...rest] = words
if (name === 'log') {
  const { main } = await import('./log-command.ts')
  await main(rest)
} else if (name === 'publish') {
  const { publishCommand } = await import('./publish.ts')
  await runCommand(name, rest, publishCommand)
} else if (name === 'listen') {
  const { listenCommand } = await import('./listen.ts')
  await runCommand(name, rest, listenCommand)
} else if (name === 'check') {
  const { checkCommand } = await import('./check.ts')
  await runCommand(name, rest, checkCommand)
} else if (name === 'explain') {
  const { explainCommand } = await import('./explain.ts')
  await runCommand(name, rest, explainCommand)
} else {
  // First of all, because it begins the process anew; nothing else may have been loaded by then.
  runWithFlags()
  const { main } = await import('./serve.ts')
  await main(words)
}
