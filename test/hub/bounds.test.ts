import fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bounds } from '../../src/hub/bounds.ts'
import type { Cursor, Position, PublishedEvent } from '../../src/hub/event.ts'

function eventAt(position: number, publishedAtMs: number): PublishedEvent {
  return {
    topics: ['a'],
    isPrivate: false,
    path: '/a',
    payload: { type: 'json-object', text: '{}' },
    position: position as Position,
    cursor: '' as Cursor,
    publishedAtMs,
  }
}

test('however events are gathered, those within the bounds are admitted, the first of them in order, and no other', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.nat(3), { maxLength: 6 }), { maxLength: 6 }),
      fc.option(fc.integer({ min: 1, max: 10 }), { nil: undefined }),
      fc.option(fc.nat(30), { nil: undefined }),
      fc.option(fc.nat(30), { nil: Infinity }),
      (rounds, eventsMax, untilMs, last) => {
        const bounds = new Bounds({
          ...(eventsMax === undefined ? {} : { eventsMax }),
          ...(untilMs === undefined ? {} : { untilMs }),
        })
        bounds.last = last
        let position = 0
        let timeMs = 0
        const all: PublishedEvent[] = []
        const admitted: PublishedEvent[] = []
        for (const steps of rounds) {
          const events = steps.map((stepMs) => eventAt(++position, (timeMs += stepMs)))
          all.push(...events)
          if (!bounds.isExhausted) admitted.push(...events.slice(0, bounds.admit(events)))
        }
        const due = all.filter(
          (event) => event.publishedAtMs < (untilMs ?? Infinity) && event.position <= last,
        )
        assert.deepEqual(admitted, due.slice(0, eventsMax ?? Infinity))
        // It knows that it is over as soon as an event has shown it.
        const isOver = admitted.length === eventsMax || due.length < all.length
        assert.equal(bounds.isExhausted, isOver)
      },
    ),
  )
})
