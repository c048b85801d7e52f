#!/usr/bin/env node
import { run } from './dispatch.ts'

// What starts it is bin/pubsubd.js; a link that npx has made of an older checkout leads here.
await run(process.argv.slice(2))
