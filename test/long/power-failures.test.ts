import { portionOf } from './portion.ts'

// More moments, with another seed each time, than in the second tier.
process.env['CRASH_MOMENTS'] = String(portionOf(500))
process.env['CRASH_SEED'] ??= String(Date.now() % 1_000_000)
await import('../crash/replay-writes.test.ts')
