import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { PublishedEvent } from '../../src/hub/event.ts'
import { PublicPlaces } from '../../src/hub/public-places.ts'

function event(position: number, isPrivate: boolean): PublishedEvent {
  return { position, isPrivate } as PublishedEvent
}

/** Steps between positions: mostly the next one, now and then far, as behind a crash. */
const STEPS = fc.array(
  fc.record({
    step: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 9_000 })),
    isPrivate: fc.boolean(),
  }),
  { maxLength: 60 },
)

test('it finds the public positions before and behind any place, as a list of them all would', () => {
  fc.assert(
    fc.property(STEPS, fc.nat(5), fc.nat(20_000), (steps, head, kept) => {
      const places = new PublicPlaces(head)
      const isPublic: number[] = []
      let position = head
      for (const { step, isPrivate } of steps) {
        position += step
        if (!isPrivate) isPublic.push(position)
        places.add([event(position, isPrivate)])
      }
      const oldest = Math.max(1, position - kept)
      places.forgetBefore(oldest)
      assert.equal(places.newest, isPublic.at(-1) ?? head)
      for (const asked of [oldest, oldest + 1, position, position + 1, position - 1]) {
        if (asked < oldest || asked <= head) continue
        assert.equal(places.newestBefore(asked), isPublic.findLast((each) => each < asked) ?? head)
        assert.equal(places.oldestFrom(asked), isPublic.find((each) => each >= asked) ?? Infinity)
      }
    }),
  )
})

test('what was in the log before counts as public', () => {
  const places = new PublicPlaces(7)
  assert.deepEqual(
    [places.newestBefore(4), places.newestBefore(8), places.oldestFrom(3)],
    [3, 7, 3],
  )
})

test('what is forgotten takes no memory', () => {
  const places = new PublicPlaces(0)
  for (let position = 1; position < 100_000; position++)
    if (places.add([event(position, false)])) places.forgetBefore(position)
  assert.ok(places.size <= 2, String(places.size))
  assert.equal(places.newestBefore(99_000), 98_999)
})
