#!/usr/bin/env node
// In a checkout and in an installed package alike. bin/pubsubd finds the Node that runs it; what follows needs Node 24.
import { existsSync } from 'node:fs'
import { useCompileCache } from './compile-cache.js'

const source = new URL('../src/cli/main.ts', import.meta.url)
const main = existsSync(source) ? source : new URL('../dist/cli/main.js', import.meta.url)

if (Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write(
    `pubsubd needs Node 24 or newer, and this is ${process.version}. Install it, or install pubsubd with its optional ` +
      'dependencies (npm without --omit=optional): they bring one for Linux with glibc, on x64 and arm64, and bin/pubsubd finds it.\n',
  )
  process.exit(1)
}
useCompileCache()
await import(main)
