import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { FairQueue } from '../../src/shares/fair-queue.ts'

function all<T>(queue: FairQueue<T>): T[] {
  return Array.from({ length: queue.size }, () => queue.next()!)
}

test('shares take turns, and within one it is first come, first served', () => {
  const queue = new FairQueue<string>(10)
  for (const waiting of ['a1', 'a2', 'a3', 'b1', 'c1', 'b2']) queue.add(waiting[0]!, waiting)
  assert.deepEqual(all(queue), ['a1', 'b1', 'c1', 'a2', 'b2', 'a3'])
  assert.equal(queue.next(), undefined)
})

test('whoever comes while others have many waits for one turn of each', () => {
  const queue = new FairQueue<string>(100)
  for (let n = 0; n < 50; n++) queue.add('a', `a${n}`)
  assert.equal(queue.next(), 'a0')
  queue.add('b', 'b0')
  assert.deepEqual([queue.next(), queue.next()], ['a1', 'b0'])
})

test('when too many wait, the newest of the largest share goes', () => {
  const queue = new FairQueue<string>(4)
  for (const waiting of ['a1', 'a2', 'a3', 'b1'])
    assert.equal(queue.add(waiting[0]!, waiting), null)
  assert.equal(queue.add('c', 'c1'), 'a3')
  assert.equal(queue.add('a', 'a4'), 'a4')
  assert.equal(queue.add('b', 'b2'), 'b2') // it would have as many as the largest
  assert.equal(queue.size, 4)
  assert.deepEqual(all(queue), ['a1', 'b1', 'c1', 'a2'])
})

test('a single share may fill the queue', () => {
  const queue = new FairQueue<number>(1_000)
  for (let n = 0; n < 1_000; n++) assert.equal(queue.add('a', n), null)
  assert.equal(queue.add('a', 1_000), 1_000)
})

test('who has given up has no turn', () => {
  const queue = new FairQueue<string>(10)
  for (const waiting of ['a1', 'a2', 'b1']) queue.add(waiting[0]!, waiting)
  queue.delete('a', 'a1')
  queue.delete('b', 'b1')
  queue.delete('b', 'b1')
  queue.delete('c', 'c1')
  assert.deepEqual([queue.size, all(queue)], [1, ['a2']])
})

test('whatever comes and goes, nobody is lost or has two turns, and no share has more than its part', () => {
  const step = fc.oneof(
    fc.record({ type: fc.constant('add' as const), share: fc.constantFrom('a', 'b', 'c', 'd') }),
    fc.record({ type: fc.constant('next' as const) }),
    fc.record({ type: fc.constant('delete' as const), at: fc.nat({ max: 20 }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new FairQueue<string>(5)
      const waiting: string[] = []
      const remove = (one: string) => waiting.splice(waiting.indexOf(one), 1)
      const countOf = (share: string) => waiting.filter((one) => one.startsWith(share)).length
      for (const [n, each] of steps.entries()) {
        if (each.type === 'add') {
          waiting.push(`${each.share}${n}`)
          const dropped = queue.add(each.share, `${each.share}${n}`)
          assert.equal(dropped !== null, waiting.length > 5)
          if (dropped === null) continue
          for (const share of ['a', 'b', 'c', 'd'])
            assert.ok(countOf(dropped[0]!) >= countOf(share))
          remove(dropped)
        } else if (each.type === 'next') {
          const next = queue.next()
          assert.equal(next === undefined, waiting.length === 0)
          if (next !== undefined) assert.ok(remove(next).length === 1)
        } else {
          const gone = waiting[each.at]
          if (gone === undefined) continue
          queue.delete(gone[0]!, gone)
          remove(gone)
        }
        assert.equal(queue.size, waiting.length)
      }
      assert.deepEqual(all(queue).toSorted(), waiting.toSorted())
    }),
  )
})
