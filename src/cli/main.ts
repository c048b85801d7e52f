import { run } from './dispatch.ts'

await run(process.argv.slice(2))
