import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import v8 from 'node:v8'
import vm from 'node:vm'
import fc from 'fast-check'
import {
  canonicalFilters,
  filterMatches,
  matcherOf,
  TopicIndex,
  type IndexEntry,
  type TopicFilter,
} from '../../src/hub/topics.ts'
import { publication } from '../contracts/event-log.ts'

const topic = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'private')
const filter = fc.record({
  topics: fc.uniqueArray(topic, { maxLength: 4 }),
  privateOnly: fc.boolean(),
})
const event = fc
  .tuple(fc.boolean(), fc.array(topic, { maxLength: 6 }))
  .map(([isPrivate, topics]) => publication(`${isPrivate ? '/private' : ''}/${topics.join('/')}`))

const many = fc.array(
  fc.constantFrom('a', 'b', 'c', ...Array.from({ length: 20 }, (_, n) => `${n}`)),
  { maxLength: 4 },
)
const wide = many.map((topics) => ({ topics: [...new Set(topics)], privateOnly: false }))

/** One after another: somebody comes, goes, something of who has gone is swept, and an event is looked for. */
const action = fc.oneof(
  fc
    .array(fc.oneof(filter, wide), { maxLength: 12 })
    .map((filters) => ({ type: 'add', filters }) as const),
  fc.nat().map((which) => ({ type: 'remove', which }) as const),
  fc.nat({ max: 30 }).map((steps) => ({ type: 'sweep', steps }) as const),
  event.map((published) => ({ type: 'match', published }) as const),
)

test('the index finds exactly those who have a matching filter, once each, whoever came and went and is swept or not', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
      const index = new TopicIndex<number>()
      const present = new Map<number, { filters: readonly TopicFilter[]; entry: IndexEntry }>()
      for (const [number, each] of actions.entries())
        if (each.type === 'add')
          present.set(number, { ...each, entry: index.add(each.filters, number) })
        else if (each.type === 'remove' && present.size > 0) {
          const owner = [...present.keys()][each.which % present.size]!
          index.remove(present.get(owner)!.entry)
          present.delete(owner)
        } else if (each.type === 'sweep') index.sweep(each.steps)
        else if (each.type === 'match') {
          const found = index.matching(each.published)
          assert.equal(new Set(found).size, found.length)
          const expected = [...present].filter(([, { filters }]) =>
            filters.some((one) => filterMatches(one, each.published)),
          )
          assert.deepEqual(new Set(found), new Set(expected.map(([owner]) => owner)))
        }
      const left = [...present.values()]
      assert.equal(
        index.size,
        left.reduce((sum, { filters }) => sum + distinct(filters), 0),
      )
      for (const { filters, entry } of left)
        assert.equal(canonicalFilters(entry.filters()).key, canonicalFilters(filters).key)
      for (const { entry } of left) index.remove(entry)
      assert.equal(index.sweep(Infinity), false)
      assert.equal(index.steps, 0)
    }),
    { numRuns: 500 },
  )
})

function distinct(filters: readonly TopicFilter[]): number {
  return new Set(filters.map((each) => canonicalFilters([each]).key)).size
}

test('a matcher says of each event what its filters say, however many they are', () => {
  fc.assert(
    fc.property(fc.array(filter, { maxLength: 30 }), event, (filters, published) => {
      const expected = filters.some((one) => filterMatches(one, published))
      assert.equal(matcherOf(filters)(published), expected)
    }),
  )
})

/** So many owners with so many filters each, in shapes that share as much as they can, or as little. */
const [OWNERS, FILTERS_EACH] = [24, 4_096]
const names = Array.from({ length: 13 }, (_, n) => `topic-${n}`)
const subsets = Array.from({ length: 2 ** 13 }, (_, mask) =>
  names.filter((_name, bit) => (mask >> bit) % 2 === 1),
)
const SHAPES: Readonly<Record<string, (owner: number, n: number) => TopicFilter>> = {
  'that share 13 topics': (owner, n) => filterOn(subsets[(owner * 16 + n) % subsets.length]!),
  'of one topic each': (owner, n) => filterOn([`of-${owner}-${n}`]),
  'of a common topic and their own': (owner, n) => filterOn(['common', `of-${owner}-${n}`]),
  'that are the same': (_owner, n) => filterOn([`topic-${n}`, 'common']),
  'that are the same for many, and private': (owner, n) =>
    filterOn([`topic-${n % 100}`, `${owner % 2}`], true),
  'that want everything': () => filterOn([]),
  'that have a hundred topics': (_owner, n) =>
    filterOn(
      Array.from({ length: n % 40 === 0 ? 100 : 0 }, (_, i) => `topic-${n}-${i}`),
      true,
    ),
}

function filterOn(topics: readonly string[], privateOnly = false): TopicFilter {
  return { topics, privateOnly }
}

/** CPU time of this thread: the clock on the wall runs on while others have the core. */
function cpuMs(act: () => void): number {
  const before = process.threadCpuUsage()
  act()
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / 1_000
}

for (const [shape, filterOf] of Object.entries(SHAPES))
  test(`adding, finding and removing filters ${shape} takes no longer however many there are`, () => {
    const index = new TopicIndex<number>()
    const entries: IndexEntry[] = []
    const spent: Record<string, number[]> = { add: [], match: [], remove: [], sweep: [] }
    for (let owner = 0; owner < OWNERS; owner++) {
      const filters = Array.from({ length: FILTERS_EACH }, (_, n) => filterOf(owner, n))
      spent['add']!.push(cpuMs(() => entries.push(index.add(filters, owner))))
    }
    const filters = index.size
    for (const path of ['/topic-1', `/private/${names.join('/')}`, '/common/of-7-7/1/topic-7'])
      spent['match']!.push(cpuMs(() => index.matching(publication(path))))
    const removing = () => entries.forEach((entry) => index.remove(entry))
    spent['remove']!.push(cpuMs(removing))
    assert.deepEqual(index.matching(publication('/private/topic-1/common/of-1-1')), [])
    const sweep = () => {
      let isLeft = false
      spent['sweep']!.push(cpuMs(() => void (isLeft = index.sweep(512))))
      return isLeft
    }
    while (sweep());
    assert.equal(index.steps, 0)
    assert.ok(spent['sweep']!.length < (3 * OWNERS * FILTERS_EACH) / 512, 'few sweeps')
    // Mostly a few ms. The worst may have met a collection of garbage, and the first ones code that is not compiled yet.
    for (const [step, ms] of Object.entries(spent)) {
      const worst = ms.toSorted((a, b) => b - a)
      assert.ok(worst[0]! < 100, `${step} of ${filters} filters: ${worst[0]} ms`)
      assert.ok(
        (worst[3] ?? 0) < 40,
        `${step} of ${filters} filters: ${worst.slice(0, 4).join()} ms`,
      )
    }
  })

test('a filter takes some hundred bytes, its topic included, and they come back when its owner has gone', async () => {
  v8.setFlagsFromString('--expose-gc')
  const collect: () => void = vm.runInNewContext('gc')
  const usedBytes = () => {
    collect()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const index = new TopicIndex<number>()
  const owners = 32
  const before = usedBytes()
  const entries = Array.from({ length: owners }, (_, owner) => {
    const path = Array.from({ length: FILTERS_EACH }, (__, n) => `a-long-topic-of-${owner}-${n}`)
    // As parts of one text, as they come with a request: none of it may stay.
    const filters = path
      .join()
      .split(',')
      .map((name) => filterOn([name]))
    return index.add(filters, owner)
  })
  const perFilter = (usedBytes() - before) / (owners * FILTERS_EACH)
  assert.ok(perFilter < 200, `${perFilter} bytes per filter`)
  for (const entry of entries.splice(0)) index.remove(entry)
  index.sweep(Infinity)
  let left = usedBytes() - before
  // The memory of typed arrays is given back behind a collection, by another thread.
  for (let i = 0; i < 20 && left >= 2_000_000; i++) {
    await turn()
    left = usedBytes() - before
  }
  assert.ok(left < 2_000_000, `${left} bytes are left`)
  assert.equal(index.size, 0)
})

test('canonical filters want the same, and equal wishes have equal keys', () => {
  fc.assert(
    fc.property(fc.array(filter, { minLength: 1, maxLength: 5 }), event, (filters, published) => {
      const canonical = canonicalFilters(filters)
      const wants = (all: readonly TopicFilter[]) =>
        all.some((one) => filterMatches(one, published))
      assert.equal(wants(canonical.filters), wants(filters))
      const shuffled = filters
        .toReversed()
        .map((one) => ({ ...one, topics: one.topics.toReversed() }))
      assert.equal(canonicalFilters([...shuffled, ...filters]).key, canonical.key)
    }),
  )
})

test('different wishes have different keys', () => {
  const filters = [
    [{ topics: ['a', 'b'], privateOnly: false }],
    [{ topics: ['a', 'b'], privateOnly: true }],
    [
      { topics: ['a'], privateOnly: false },
      { topics: ['b'], privateOnly: false },
    ],
    [{ topics: ['a,b'], privateOnly: false }],
    [{ topics: ['a","b'], privateOnly: false }],
    [{ topics: [], privateOnly: false }],
    [{ topics: [], privateOnly: true }],
    [{ topics: ['*'], privateOnly: false }],
  ]
  assert.equal(new Set(filters.map((one) => canonicalFilters(one).key)).size, filters.length)
})
