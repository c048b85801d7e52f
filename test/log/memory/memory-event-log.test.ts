import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Position } from '../../../src/hub/event.ts'
import { MemoryEventLog } from '../../../src/log/memory/memory-event-log.ts'
import { MemoryStateStore } from '../../../src/log/memory/memory-state-store.ts'
import { MovableClock } from '../movable-clock.ts'
import { eventLogContract, publication } from '../../contracts/event-log.ts'

eventLogContract('memory', async (options) => {
  const clock = new MovableClock()
  const told: string[] = []
  const stateStore = new MemoryStateStore(clock.wallMs)
  const log = new MemoryEventLog({
    ...options,
    bytesMax: 1e9,
    state: stateStore,
    clock,
    logger: (level, message) => void told.push(`${level} ${message}`),
  })
  return {
    log,
    stateStore,
    loseNextOutcome: 'memory takes what it is given in one step',
    clock,
    told,
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  }
})

test('memory: kept events take no more bytes than allowed', async () => {
  await using log = new MemoryEventLog({ eventsMax: 1_000_000, maxAgeMs: 0, bytesMax: 100_000 })
  for (let n = 0; n < 300; n++)
    await log.append([publication('/a', { text: 'x'.repeat(1_000), n })])
  assert.ok(log.status.bytes <= 100_000)
  const pages = await Array.fromAsync(log.read(0 as Position, { pageBytes: 1e6 }))
  const kept = pages.flatMap((page) => page.events)
  assert.ok(kept.length > 50)
  assert.equal(kept.at(-1)?.position, log.head)
})

test('memory: topics count for what they take in memory, however short they are', async () => {
  await using log = new MemoryEventLog({ eventsMax: 1_000_000, maxAgeMs: 0, bytesMax: 1e6 })
  const topics = Array.from({ length: 1_000 }, (_, n) => n.toString(36))
  const path = `/${topics.join('/')}`
  for (let n = 0; n < 50; n++) await log.append([{ ...publication(path, { n }), topics }])
  const kept = log.head - log.status.oldest + 1
  assert.ok(kept > 10 && kept <= 1e6 / (32 * 992 + path.length), String(kept))
})

test('memory: what is kept stays right over many more events than are kept', async () => {
  await using log = new MemoryEventLog({ eventsMax: 700, maxAgeMs: 0, bytesMax: 1e9 })
  for (let round = 0; round < 50; round++)
    await log.append(
      Array.from({ length: 100 }, (_, n) => publication('/a', { n: round * 100 + n })),
    )
  const pages = await Array.fromAsync(log.read(0 as Position, { pageBytes: 1_000 }))
  const numbers = pages.flatMap((page) =>
    page.events.map((event) => JSON.parse(event.payload.text).n),
  )
  assert.deepEqual(
    numbers,
    Array.from({ length: 700 }, (_, n) => 4_300 + n),
  )
})

test('memory: while publishers come together, a commit waits a turn for the next ones', async () => {
  await using log = new MemoryEventLog({ eventsMax: 0, maxAgeMs: 0, bytesMax: 1e9 })
  const sizes: number[] = []
  using _commits = log.onCommit((events) => sizes.push(events.length))
  const append = () => log.append([publication('/a', { n: 1 })])
  /** Two publishers, one a turn of the event loop after the other. */
  const publish = async () => {
    const first = append()
    await turn()
    await Promise.all([first, append()])
  }
  await publish()
  assert.deepEqual(sizes.splice(0), [1, 1])
  await Promise.all([append(), append()])
  assert.deepEqual(sizes.splice(0), [2])
  await publish()
  assert.deepEqual(sizes.splice(0), [2])
  await append()
  await publish()
  assert.deepEqual(sizes.splice(0), [1, 1, 1])
})
