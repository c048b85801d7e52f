import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Cursor, Position, PublishedEvent } from '../../src/hub/event.ts'
import { Rounds } from '../../src/hub/rounds.ts'

function event(position: number, bytes: number): PublishedEvent {
  return {
    topics: ['a'],
    isPrivate: false,
    path: '/a',
    payload: { type: 'json-object', text: 'x'.repeat(bytes) },
    position: position as Position,
    cursor: `${position}` as Cursor,
    publishedAtMs: 0,
  }
}

function recorded() {
  const rounds: number[][] = []
  const delivery = new Rounds((events) => {
    rounds.push(events.map(({ position }) => position))
    return events.length
  })
  return { rounds, delivery }
}

test('what is small is one round, at once', () => {
  const { rounds, delivery } = recorded()
  delivery.add([event(1, 10), event(2, 10)])
  delivery.add([])
  delivery.add([event(3, 10)])
  assert.deepEqual(rounds, [[1, 2], [3]])
  assert.ok(delivery.isIdle)
})

test('what is great is handed out in turns, and what comes meanwhile behind it', async () => {
  const { rounds, delivery } = recorded()
  delivery.add([1, 2, 3, 4].map((position) => event(position, 200_000)))
  assert.deepEqual(rounds, [[1]])
  assert.ok(!delivery.isIdle)
  const settled = delivery.settled()
  await turn()
  delivery.add([event(5, 10)])
  assert.deepEqual(rounds, [[1], [2]])
  await settled
  assert.deepEqual(rounds, [[1], [2], [3], [4, 5]])
  assert.ok(delivery.isIdle)
})

test('what was not delivered at once comes again in later turns, before what was added meanwhile', async () => {
  const offered: number[][] = []
  /** How many of what is offered next are taken. */
  const taking = [1, 0, 2, 2]
  const delivery = new Rounds((events) => {
    offered.push(events.map(({ position }) => position))
    return taking.shift()!
  })
  delivery.add([event(1, 10), event(2, 10), event(3, 10)])
  assert.deepEqual(offered, [[1, 2, 3]])
  assert.ok(!delivery.isIdle)
  delivery.add([event(4, 10), event(5, 10)])
  await delivery.settled()
  assert.deepEqual(offered, [
    [1, 2, 3],
    [2, 3, 4, 5],
    [2, 3, 4, 5],
    [4, 5],
  ])
  assert.ok(delivery.isIdle)
})

test('who waits waits for what was there by then, however much comes behind it, and nothing of it stays', async () => {
  const delivery = new Rounds((events) => Math.min(1, events.length))
  delivery.add([event(1, 10), event(2, 10), event(3, 10)])
  assert.ok(delivery.waitingBytes > 20)
  for (let n = 4; n < 50; n++) {
    const settled = delivery.settled()
    delivery.add([event(n, 10)])
    await turn()
    if (n > 10) assert.ok(delivery.waitingBytes < 3_000)
    if (n % 10 === 0) assert.equal(await settled, true)
  }
  assert.equal(await delivery.settled(), true)
  assert.ok(delivery.isIdle)
  assert.equal(delivery.waitingBytes, 0)
})

test('an event larger than a round is one by itself', () => {
  const { rounds, delivery } = recorded()
  delivery.add([event(1, 5_000_000)])
  assert.deepEqual(rounds, [[1]])
  assert.ok(delivery.isIdle)
})

test('after the end nothing is handed out, and nobody waits', async () => {
  const { rounds, delivery } = recorded()
  delivery.add([1, 2, 3].map((position) => event(position, 200_000)))
  const settled = delivery.settled()
  delivery[Symbol.dispose]()
  assert.equal(await settled, false)
  await turn()
  assert.deepEqual(rounds, [[1]])
})
