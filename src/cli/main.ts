#!/usr/bin/env node
import { runWithFlags } from './node-flags.ts'

const words = process.argv.slice(2)
if (words[0] === 'log') {
  const { main } = await import('./log-command.ts')
  await main(words.slice(1))
} else {
  // First of all, because it begins the process anew; nothing else may have been loaded by then.
  runWithFlags()
  const { main } = await import('./serve.ts')
  await main(words)
}
