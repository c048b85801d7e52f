import type { Publication } from '../../../src/publication/publication.ts'
import { openSqliteStore } from '../../../src/log/sqlite/sqlite-store.ts'

/**
 * A process that has a store, for tests that end it: `node child-store.ts DIRECTORY [append]`. It says `open`, and with
 * `append` it publishes as fast as it can and says the number of each event once the log has acknowledged it.
 */
const [directory, mode] = process.argv.slice(2)
const { eventLog } = await openSqliteStore({
  directory: directory!,
  durability: 'disk',
  eventsMax: 1e9,
  maxAgeMs: 0,
  bytesMax: Infinity,
  reserveBytes: 0,
  logger: (level, message) => process.stderr.write(`${level} ${message}\n`),
})
process.stdout.write('open\n')
let next = 0
if (mode === 'append') await Promise.all(Array.from({ length: 32 }, () => publisher()))
else setInterval(() => {}, 1_000)

async function publisher(): Promise<never> {
  for (;;) {
    const n = next++
    await eventLog.append([publication(n, 'a'), publication(n, 'b')])
    process.stdout.write(`${n}\n`)
  }
}

function publication(n: number, half: string): Publication {
  const text = JSON.stringify({ n, half, filler: 'x'.repeat(n % 500) })
  const topics = [`topic-${n % 17}`, half]
  return {
    topics,
    isPrivate: false,
    path: `/${topics.join('/')}`,
    payload: { type: 'json-object', text },
  }
}
