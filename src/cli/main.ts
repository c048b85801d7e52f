#!/usr/bin/env node
import { runWithFlags } from './node-flags.ts'

// First of all, because it begins the process anew; nothing else may have been loaded by then.
runWithFlags()
const { main } = await import('./serve.ts')
await main(process.argv.slice(2))
