import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  ChangingGroup,
  SharedGroup,
  type AudienceGroup,
  type Placed,
} from '../../src/hub/audience-group.ts'
import type { Cursor, Position, PublishedEvent } from '../../src/hub/event.ts'
import { PUBLIC_ONLY } from '../../src/hub/rights.ts'
import { filterMatches } from '../../src/hub/topics.ts'
import { canonicalWants, isTopicFilter, keyOfWant, type Want } from '../../src/hub/wants.ts'
import { WantIndex } from '../../src/hub/want-index.ts'
import { publication } from '../contracts/event-log.ts'

type Index = WantIndex<AudienceGroup<Placed>>

function published(path: string, position: number): PublishedEvent {
  const [at, cursor] = [position as Position, `${position}` as Cursor]
  return { ...publication(path), position: at, cursor, publishedAtMs: position }
}

function placed(): Placed {
  return { place: -1, rights: PUBLIC_ONLY }
}

const unexpected = (_: unknown, error: unknown) => assert.fail(String(error))

test('a group is found by its topics, knows them, and says when its last audience has gone', () => {
  const index: Index = new WantIndex()
  const wants = canonicalWants([{ topics: ['b', 'a'], privateOnly: true }])
  const group = new SharedGroup(wants, index)
  assert.deepEqual(index.matching(published('/private/a/b', 1), unexpected), [group])
  assert.deepEqual(group.readFilters![0]!.topics.toSorted(), ['a', 'b'])
  const [one, two, three] = [placed(), placed(), placed()]
  for (const audience of [one, two, three]) group.add(audience)
  assert.equal(group.remove(one), false)
  assert.deepEqual(new Set(group.audiences), new Set([two, three]))
  assert.equal(group.remove(three), false)
  assert.equal(group.remove(two), true)
  assert.equal(group.leaveIndex(), true)
  assert.deepEqual(index.matching(published('/private/a/b', 2), unexpected), [])
})

test('who goes through a group from last to first meets each audience once, though some go then', () => {
  for (const leaving of ['abcd', 'a', 'bd', 'c', '']) {
    const wants = canonicalWants([{ topics: [], privateOnly: false }])
    const group = new SharedGroup<Placed & { name: string }>(wants, new WantIndex())
    for (const name of 'abcd') group.add({ name, ...placed() })
    const met: string[] = []
    for (let i = group.audiences.length - 1; i >= 0; i--) {
      const audience = group.audiences[i]!
      met.push(audience.name)
      if (leaving.includes(audience.name)) group.remove(audience)
    }
    assert.equal(met.toSorted().join(''), 'abcd')
    assert.equal(group.audiences.length, 4 - leaving.length)
  }
})

test('who has ten thousand wishes leaves at once, nothing goes to it any more, and the index gives them up bit by bit', () => {
  const index: Index = new WantIndex()
  const paths = Array.from({ length: 10_000 }, (_, n) => ({ path: `/a/${n}` }))
  const filter = { topics: ['a'], privateOnly: false }
  const predicate = { key: 'p', matches: () => true }
  const group = new ChangingGroup<Placed>('own', [...paths, filter, predicate], index)
  const other = new ChangingGroup<Placed>('other', paths.slice(0, 1), index)
  const audience = placed()
  group.add(audience)
  assert.deepEqual(
    new Set(index.matching(published('/a/0', 1), unexpected)),
    new Set([group, other]),
  )
  assert.equal(group.remove(audience), true)
  assert.equal(group.leaveIndex(), true)
  assert.equal(index.size, 0)
  assert.equal(index.predicateCount, 0)
  let sweeps = 1
  while (index.sweep(512)) sweeps++
  assert.ok(sweeps > 100, `in ${sweeps} pieces`)
  for (const n of [1, 5_000, 9_999])
    assert.deepEqual(index.matching(published(`/a/${n}`, n + 2), unexpected), [])
  assert.deepEqual(index.matching(published('/a/0', 20_000), unexpected), [other])
})

test('those that leave do not pile up in the index, however fast others come', () => {
  const index: Index = new WantIndex()
  for (let n = 0; n < 100; n++) {
    const wants = [1, 2, 3].map((each) => ({ path: `/${n}/${each}` }))
    new ChangingGroup<Placed>(`${n}`, wants, index).leaveIndex()
  }
  assert.equal(index.sweep(512), false)
})

const SEGMENTS = ['a', 'b', 'c']
const path = fc
  .array(fc.constantFrom(...SEGMENTS), { minLength: 1, maxLength: 3 })
  .map((segments) => `/${segments.join('/')}`)
const want: fc.Arbitrary<Want> = fc.oneof(
  fc
    .uniqueArray(fc.constantFrom(...SEGMENTS), { maxLength: 2 })
    .map((topics) => ({ topics, privateOnly: false })),
  path.map((exact) => ({ path: exact })),
  fc.constantFrom(...SEGMENTS).map((segment) => ({
    key: segment,
    matches: (event: PublishedEvent) => event.path.endsWith(segment),
  })),
)

function wantsEvent(one: Want, event: PublishedEvent): boolean {
  if (isTopicFilter(one)) return filterMatches(one, event)
  return 'path' in one ? one.path === event.path : one.matches(event)
}

test('however wishes change, who has them is found once for each event that is wanted then, live and afterwards', () => {
  const operation = fc.oneof(
    fc.record({ type: fc.constant('change' as const), add: fc.array(want), drop: fc.array(want) }),
    fc.record({ type: fc.constant('publish' as const), path }),
  )
  fc.assert(
    fc.property(fc.array(want), fc.array(operation), (first, operations) => {
      const index: Index = new WantIndex()
      const others = new SharedGroup<Placed>(canonicalWants(first), index)
      const group = new ChangingGroup<Placed>('own', first, index)
      const held = new Map(first.map((one) => [keyOfWant(one), { one, since: 0 }]))
      const events: PublishedEvent[] = []
      for (const step of operations) {
        const head = events.length
        if (step.type === 'change') {
          group.change(step, head as Position)
          for (const one of step.drop) held.delete(keyOfWant(one))
          for (const one of step.add)
            if (!held.has(keyOfWant(one))) held.set(keyOfWant(one), { one, since: head })
          index.sweep(1)
        } else {
          const event = published(step.path, head + 1)
          events.push(event)
          const found = index.matching(event, unexpected)
          const isWanted = held.values().some(({ one }) => wantsEvent(one, event))
          assert.deepEqual(
            found.filter((each) => each === group),
            isWanted ? [group] : [],
          )
          const isOthers = first.some((one) => wantsEvent(one, event))
          assert.equal(found.filter((each) => each === others).length, isOthers ? 1 : 0)
        }
        const matches = group.matcher()
        for (const event of events)
          assert.equal(
            matches(event) || askedOneByOne(group, event),
            held
              .values()
              .some(({ one, since }) => event.position > since && wantsEvent(one, event)),
          )
      }
      group.leaveIndex()
      others.leaveIndex()
      while (index.sweep(100));
      assert.deepEqual([index.size, index.steps], [0, 0])
      assert.deepEqual(index.matching(published('/a/b', 1_000), unexpected), [])
    }),
  )
})

/** As if no turn had time for more than one predicate. */
function askedOneByOne(group: ChangingGroup<Placed>, event: PublishedEvent): boolean {
  for (;;) {
    const isWanted = group.isWantedByPredicates(event, -Infinity)
    if (isWanted !== null) return isWanted
  }
}
