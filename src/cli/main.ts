#!/usr/bin/env node
import { runWithFlags } from './node-flags.ts'

// First of all, because it begins the process anew; nothing else may have been loaded by then.
runWithFlags()
const words = process.argv.slice(2)
if (words[0] === 'log') await (await import('./log-command.ts')).main(words.slice(1))
else await (await import('./serve.ts')).main(words)
