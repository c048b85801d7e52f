import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FairTurns } from '../../src/hub/fair-turns.ts'

function all<T>(turns: FairTurns<T>): T[] {
  return Array.from({ length: 1_000 }, () => turns.next()!).filter(
    (waiting) => waiting !== undefined,
  )
}

test('within a share it is first come, first served', () => {
  const turns = new FairTurns<number>()
  for (let n = 0; n < 5; n++) turns.add('a', n)
  assert.deepEqual(all(turns), [0, 1, 2, 3, 4])
})

test('one of another share does not wait for a crowd', () => {
  const turns = new FairTurns<string>()
  for (let n = 0; n < 100; n++) turns.add('a', `a${n}`)
  turns.add('b', 'b')
  turns.add(turns, 'somebody without a name')
  assert.deepEqual(
    [turns.next(), turns.next(), turns.next(), turns.next()],
    ['a0', 'b', 'somebody without a name', 'a1'],
  )
})

test('nobody is lost, and between two turns of a share each other that waits has one at most', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 60 }), (shares) => {
      const turns = new FairTurns<{ share: string; n: number }>()
      for (const [n, share] of shares.entries()) turns.add(share, { share, n })
      const served = all(turns)
      assert.deepEqual(
        served.map(({ n }) => n).toSorted((one, other) => one - other),
        [...shares.keys()],
      )
      for (let i = 0; i < served.length; i++) {
        const again = served.findIndex(({ share }, j) => j > i && share === served[i]!.share)
        const between = served.slice(i + 1, again === -1 ? i + 1 : again).map(({ share }) => share)
        assert.equal(new Set(between).size, between.length)
      }
    }),
  )
})
