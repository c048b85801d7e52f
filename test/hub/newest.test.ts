import fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { LogUnavailableError } from '../../src/hub/errors.ts'
import type { PublishedEvent } from '../../src/hub/event.ts'
import { Hub } from '../../src/hub/hub.ts'
import { PUBLIC_ONLY } from '../../src/hub/rights.ts'
import { MemoryEventLog } from '../../src/log/memory/memory-event-log.ts'
import { publication } from '../contracts/event-log.ts'
import { byteRequest, PLAIN, RecordingSink } from './recording-sink.ts'

/** Takes so many turns to look up, before and behind the look. */
class SlowLog extends MemoryEventLog {
  before = 0
  behind = 0

  override async lastOf(path: string): Promise<PublishedEvent | null> {
    const { before, behind } = this
    for (let n = 0; n < before; n++) await turn()
    const found = await super.lastOf(path)
    for (let n = 0; n < behind; n++) await turn()
    return found
  }
}

function openHub(eventsMax: number) {
  const log = new SlowLog({ eventsMax, maxAgeMs: 0, bytesMax: 1e9 })
  const options = {
    queueBytesMax: 1e9,
    stallTimeoutMs: 1e6,
    topicFiltersMax: 1e3,
    conditionsMax: 9,
  }
  return { log, hub: new Hub(log, options) }
}

const lineOf = (event: PublishedEvent) => PLAIN.event(event).toString().trimEnd()

const operation = fc.oneof(
  fc.record({
    type: fc.constant('publish' as const),
    paths: fc.array(fc.constantFrom('/a', '/b'), { minLength: 1, maxLength: 4 }),
    /** Three of the large ones are more than the hub keeps in memory. */
    textLength: fc.constantFrom(1, 1, 1, 1_500_000),
  }),
  fc.record({ type: fc.constant('turn' as const) }),
  fc.record({
    type: fc.constant('begin' as const),
    path: fc.constantFrom('/a', '/b', '/c'),
    before: fc.nat(3),
    behind: fc.nat(3),
  }),
)

test('who begins with the newest event of a path gets all that come behind it, whatever is published meanwhile', async () => {
  const property = fc.asyncProperty(
    fc.array(operation, { maxLength: 30 }),
    fc.constantFrom(3, 1_000),
    async (operations, eventsMax) => {
      const { log, hub } = openHub(eventsMax)
      using _hub = hub
      const published: string[] = []
      const all: Promise<unknown>[] = []
      const begun: { path: string; since: number; newest: string | null; sink: RecordingSink }[] =
        []
      for (const step of operations) {
        if (step.type === 'turn') await turn()
        else if (step.type === 'publish') {
          const batch = step.paths.map((path, n) =>
            publication(path, { n: published.length + n, text: 'x'.repeat(step.textLength) }),
          )
          published.push(...batch.map(({ path, payload }) => `${path} ${payload.text}`))
          all.push(hub.publish(batch))
        } else {
          Object.assign(log, step)
          const { path } = step
          const sink = new RecordingSink()
          all.push(
            hub.withNewest(path, (event) => {
              begun.push({ path, since: hub.head, newest: event && lineOf(event), sink })
              const request = { rights: PUBLIC_ONLY, encoding: PLAIN, opening: Buffer.alloc(0) }
              hub.subscribe(byteRequest({ ...request, wants: [{ path }], from: 'head', sink }))
            }),
          )
        }
      }
      await Promise.all(all)
      for (const { path, since, newest, sink } of begun) {
        const isOfPath = (line: string) => line.startsWith(`${path} `)
        const earlier = published.slice(0, since).findLast(isOfPath) ?? null
        // What is not kept may not be known any more.
        if (newest !== null || eventsMax > 3) assert.equal(newest, earlier)
        assert.deepEqual(sink.lines, published.slice(since).filter(isOfPath))
      }
    },
  )
  await fc.assert(property, { numRuns: Number(process.env['FUZZ_RUNS'] ?? 150) })
})

test('where the log cannot be read, nothing has begun', async () => {
  const { log, hub } = openHub(10)
  using _hub = hub
  log.lastOf = () => Promise.reject(new LogUnavailableError('broken'))
  await assert.rejects(
    hub.withNewest('/a', () => assert.fail('it has begun')),
    LogUnavailableError,
  )
})
