import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { HARMFUL, HARMLESS, PlacedStore } from './file-operations.ts'
import { readAll } from './store-folder.ts'

const filled = await PlacedStore.fill()
after(() => filled[Symbol.dispose]())

/** A server that stops in order takes its open write-ahead log to a database that is where it was. */
const SAVED_BY_A_STOP = new Set([
  'the write-ahead log is deleted',
  'the write-ahead log and its index are deleted',
])

for (const [name, command] of Object.entries(HARMFUL))
  test(`once ${name}, nothing is stored, that is told, and the stop writes nothing`, async () => {
    using place = filled.copy()
    const { folder, acknowledged } = place
    await using store = await folder.open()
    await place.publish(store.log)
    place.copyLog()
    await place.publish(store.log)
    place.shell(command)
    await assert.rejects(place.publish(store.log), { code: 'LOG_UNAVAILABLE' })
    assert.match(folder.told.join('\n'), /^error events cannot be stored: \S+ (was|is|cannot)/m)
    if (!/over|emptied|cut off/.test(name))
      assert.deepEqual(await readAll(store.log), acknowledged, 'readers go on')
    const left = place.contents()
    await store[Symbol.asyncDispose]()
    if (!SAVED_BY_A_STOP.has(name)) return assert.equal(place.contents(), left)
    await using again = await folder.open()
    assert.deepEqual(await readAll(again.log), acknowledged)
    return undefined
  })

for (const [name, command] of Object.entries(HARMLESS))
  test(`once ${name}, events are stored as before, and are there after a restart`, async () => {
    using place = filled.copy()
    const { folder, acknowledged } = place
    {
      await using store = await folder.open()
      await place.publish(store.log)
      place.shell(command)
      await place.publish(store.log)
      await place.publish(store.log)
    }
    await using store = await folder.open()
    assert.deepEqual(await readAll(store.log), acknowledged)
    assert.deepEqual(folder.told, [])
  })
