#!/usr/bin/env node
import { useCompileCache } from './compile-cache.ts'

// Whatever is loaded before is compiled anew each time.
useCompileCache()
const { run } = await import('./dispatch.ts')
await run(process.argv.slice(2))
