import { globSync } from 'node:fs'
import { portionOf } from './portion.ts'

// Other inputs than `npm test` tries, and many times as many.
process.env['PUBSUBD_HOSTILE_RUNS'] = String(portionOf(100))
process.env['PUBSUBD_HOSTILE_SEED'] = 'random'
const suites = globSync('../hostile/*.test.ts', { cwd: import.meta.dirname })
// The suite's own test plants faults: so many of them would fill the memory.
for (const suite of suites) if (!suite.endsWith('hostile-group.test.ts')) await import(suite)
