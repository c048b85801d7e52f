import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DonePrefix } from '../../src/cli/done-prefix.ts'

test('in whatever order things are done, the place told is the last one with all before it done', () => {
  const thing = fc.record({ hasCursor: fc.boolean(), order: fc.nat() })
  fc.assert(
    fc.property(fc.array(thing, { maxLength: 30, size: 'max' }), (things) => {
      const told: string[] = []
      const prefix = new DonePrefix((cursor) => told.push(cursor))
      const dones = things.map(({ hasCursor }, i) => prefix.begin(hasCursor ? `${i}` : null))
      const isDone = things.map(() => false)
      let expected: string | undefined
      for (const i of things
        .keys()
        .toArray()
        .toSorted((a, b) => things[a]!.order - things[b]!.order)) {
        isDone[i] = true
        dones[i]!()
        const open = isDone.indexOf(false)
        const done = open === -1 ? things.length : open
        const last = things.slice(0, done).findLastIndex(({ hasCursor }) => hasCursor)
        if (last !== -1) expected = `${last}`
        assert.equal(told.at(-1), expected)
        assert.equal(prefix.length, things.length - done)
      }
      assert.deepEqual(
        told,
        told.toSorted((a, b) => Number(a) - Number(b)),
      )
    }),
  )
})
