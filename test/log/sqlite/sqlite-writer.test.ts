import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import type { PublishedEvent } from '../../../src/hub/event.ts'
import { publication } from '../../contracts/event-log.ts'
import { readAll, StoreFolder } from './store-folder.ts'
import { appendTo } from '../append-to.ts'

const EVENTS = 30
const whole = new StoreFolder()
let events: readonly PublishedEvent[]

before(async () => {
  await using store = await whole.open({ durability: 'os' })
  const batch = Array.from({ length: EVENTS }, (_, n) => publication(`/${n}`, { n }))
  events = await appendTo(store.log, batch)
})
after(() => whole[Symbol.dispose]())

/** A start with a store in which something was changed; then another event comes. */
async function startAfter(sql: string) {
  using folder = new StoreFolder()
  cpSync(whole.directory, folder.directory, { recursive: true })
  {
    using database = new DatabaseSync(folder.file('events.db'))
    database.exec(sql)
  }
  await using store = await folder.open({ durability: 'os' })
  const old = await readAll(store.log)
  const [next] = await appendTo(store.log, [publication('/next')])
  return { old, next: next!, all: await readAll(store.log), told: folder.told }
}

test('whatever number a damaged event has, a start finds where the others end, at once, and goes on there', async () => {
  const number = fc.oneof(
    fc.integer({ min: EVENTS + 1, max: EVENTS + 50 }),
    fc.integer({ min: EVENTS + 1, max: 2 ** 40 }),
    fc.constantFrom(20_000_000, 2 ** 40, 2 ** 47),
  )
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: EVENTS }), number, async (seq, damaged) => {
      const { old, next, all } = await startAfter(
        `UPDATE events SET seq = ${damaged} WHERE seq = ${seq}`,
      )
      const expected = events.filter((_, i) => i !== seq - 1)
      assert.deepEqual(old, expected)
      assert.deepEqual(all, [...expected, next])
      assert.ok(next.position > events.at(-1)!.position)
    }),
    {
      numRuns: 5,
      examples: [
        [EVENTS, 20_000_000],
        [1, 2 ** 47],
      ],
    },
  )
})

test('newest events that are damaged in place are passed over, and their numbers are not used again', async () => {
  const { old, next, told } = await startAfter("UPDATE events SET path = '/x' WHERE seq > 27")
  assert.deepEqual(old, events.slice(0, 27))
  assert.ok(next.position > events.at(-1)!.position)
  assert.ok(!told.some((line) => line.includes('files are now in')), told.join('\n'))
})

test('a store of which every event is damaged goes on, with later times and places', async () => {
  const { old, next } = await startAfter('UPDATE events SET crc = crc + 1')
  assert.deepEqual(old, [])
  assert.ok(next.position > events.at(-1)!.position)
})
