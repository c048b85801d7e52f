import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { OutgoingSlots } from '../../src/outgoing/outgoing-slots.ts'

const NEVER = new AbortController().signal

test('hosts that wait take turns, however much one of them asks for', async () => {
  const slots = new OutgoingSlots(1)
  await slots.take('first', NEVER)
  const order: string[] = []
  const waiting = ['loud', 'loud', 'loud', 'quiet', 'quiet', 'third'].map(async (host) => {
    await slots.take(host, NEVER)
    order.push(host)
    slots.release(host)
  })
  slots.release('first')
  await Promise.all(waiting)
  assert.deepEqual(order, ['loud', 'quiet', 'third', 'loud', 'quiet', 'loud'])
})

test('whoever holds its slots for ever leaves some to each that comes', async () => {
  const slots = new OutgoingSlots(128)
  const got = new Map<string, number>()
  for (const host of ['a', 'b', 'c', 'd'])
    for (let i = 0; i < 100; i++)
      void slots.take(host, NEVER).then(() => got.set(host, (got.get(host) ?? 0) + 1))
  await new Promise(setImmediate)
  const counts = [...got.values()].toSorted((a, b) => a - b)
  assert.equal(counts.length, 4)
  assert.ok(counts[0]! >= 8, counts.join())
  assert.ok(slots.taken < 128)
})

test('whoever gave up waiting takes nothing', async () => {
  const slots = new OutgoingSlots(1)
  await slots.take('a', NEVER)
  const reason = new Error('no more')
  const caller = new AbortController()
  const ended = ['a', 'b'].map((host) =>
    assert.rejects(slots.take(host, caller.signal), (error) => error === reason),
  )
  caller.abort(reason)
  await Promise.all(ended)
  await assert.rejects(slots.take('b', caller.signal), (error) => error === reason)
  assert.equal(slots.taken, 1)
  slots.release('a')
  assert.equal(slots.taken, 0)
  await slots.take('b', NEVER)
  assert.equal(slots.taken, 1)
})

function countOf(hosts: readonly string[], host: string): number {
  return hosts.filter((each) => each === host).length
}

/** What happens next: a host asks, or the caller of an earlier taking releases it or gives up. */
const step = fc.oneof(
  fc.record({ ask: fc.constantFrom('a', 'b', 'c') }),
  fc.record({ release: fc.nat(9) }),
  fc.record({ giveUp: fc.nat(9) }),
)

test('no host holds more than half of the slots, and none lies idle that a host may have', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 9 }),
      fc.array(step, { maxLength: 40 }),
      async (max, steps) => {
        const slots = new OutgoingSlots(max)
        const held: string[] = []
        const waiting: { host: string; caller: AbortController }[] = []
        for (const each of steps) {
          if ('ask' in each) {
            const asker = { host: each.ask, caller: new AbortController() }
            waiting.push(asker)
            slots.take(asker.host, asker.caller.signal).then(
              () => {
                waiting.splice(waiting.indexOf(asker), 1)
                return held.push(asker.host)
              },
              () => waiting.splice(waiting.indexOf(asker), 1),
            )
          } else if ('release' in each) {
            const [host] = held.splice(each.release, 1)
            if (host !== undefined) slots.release(host)
          } else waiting[each.giveUp]?.caller.abort(new Error('no more'))
          await new Promise(setImmediate)
          assert.equal(slots.taken, held.length)
          assert.ok(held.length <= max)
          for (const { host } of waiting) {
            const [free, own] = [max - held.length, countOf(held, host)]
            assert.ok(free === 0 || (own > 0 && own >= free), `${host} waits in vain`)
          }
          if ('ask' in each) {
            const own = countOf(held, each.ask)
            assert.ok(own <= Math.max(1, Math.ceil(max / 2)), `${each.ask} holds ${own}`)
          }
        }
      },
    ),
  )
})
