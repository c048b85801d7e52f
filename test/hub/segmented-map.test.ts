import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashOfText, SegmentedMap } from '../../src/hub/segmented-map.ts'

test('a map of several segments has what was added and not deleted, and shrinks to nothing', () => {
  const map = new SegmentedMap<string, number>(hashOfText)
  const COUNT = 250_000
  for (let n = 0; n < COUNT; n++) map.add(`key-${n}`, n)
  assert.equal(map.size, COUNT)
  for (let n = 0; n < COUNT; n += 3) map.delete(`key-${n}`)
  for (let n = 0; n < COUNT; n += 7) assert.equal(map.get(`key-${n}`), n % 3 === 0 ? undefined : n)
  assert.equal([...map.values()].length, map.size)
  for (let n = 0; n < COUNT; n++) if (n % 3 !== 0) map.delete(`key-${n}`)
  assert.equal(map.size, 0)
  assert.equal(map.get('key-1'), undefined)
})

test('texts that differ in one place have different hashes, in every part of the number', () => {
  const hashes = Array.from({ length: 10_000 }, (_, n) => hashOfText(`topic-${n}`) >>> 0)
  assert.ok(new Set(hashes).size > 9_990)
  const inPlaces = Map.groupBy(hashes, (hash) => hash % 256)
  assert.equal(inPlaces.size, 256)
})
