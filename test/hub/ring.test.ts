import assert from 'node:assert/strict'
import { test } from 'node:test'
import v8 from 'node:v8'
import type { Cursor, Position, PublishedEvent } from '../../src/hub/event.ts'
import { Ring } from '../../src/hub/ring.ts'

const START = 0 as Position

class Payload {
  readonly type = 'json-object'
  readonly text: string
  constructor(textLength: number) {
    this.text = 'x'.repeat(textLength)
  }
}

function event(position: number, { textLength = 10, path = '/a' } = {}): PublishedEvent {
  return {
    topics: path.slice(1).split('/'),
    isPrivate: false,
    path,
    payload: new Payload(textLength),
    position: position as Position,
    cursor: `${position}` as Cursor,
    publishedAtMs: position,
  }
}

test('what the ring has dropped is no longer in memory', () => {
  const ring = new Ring(START, 1_000)
  for (let n = 1; n <= 500; n++) ring.push([event(n, { textLength: 300 })])
  assert.equal(ring.after(499 as Position, 1_000)?.length, 1)
  assert.equal(ring.after(400 as Position, 1_000), null)
  const kept = v8.queryObjects(Payload, { format: 'count' })
  assert.ok(kept <= 5, `${kept} payloads are in memory`)
})

test('long topics fill the ring as a long text does', () => {
  const ring = new Ring(START, 1_000)
  const path = `/${'t'.repeat(600)}`
  for (let n = 1; n <= 10; n++) ring.push([event(n, { path })])
  assert.equal(ring.after(8 as Position, 1_000), null)
  assert.equal(ring.after(9 as Position, 1_000)?.length, 1)
})

test('of tiny events, too, the ring holds only so many', () => {
  const ring = new Ring(START, 10_000)
  for (let n = 1; n <= 100; n++) ring.push([event(n)])
  assert.equal(ring.after(60 as Position, Infinity), null)
  assert.equal(ring.after(70 as Position, Infinity)?.length, 30)
  assert.equal(ring.after(70 as Position, 1_000), null)
})
