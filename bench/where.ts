import { performance } from 'node:perf_hooks'
import type { Cursor, Position, PublishedEvent } from '../src/hub/event.ts'
import { CHUNKED } from '../src/http/stream/framing.ts'
import { PypubsubEncoding } from '../src/http/stream/pypubsub-encoding.ts'
import { WhereExpressions } from '../src/where/where.ts'
import { Hub } from '../src/hub/hub.ts'
import { PUBLIC_ONLY } from '../src/hub/rights.ts'
import { MemoryEventLog } from '../src/log/memory/memory-event-log.ts'
import { median, option, row } from './harness.ts'

/**
 * What `?where=` costs: distinct expressions of a few kinds and of all kinds mixed, each asked about each event, with the
 * parsing of the payload, in µs per expression and event. 1,000 expressions at 1,000 events/s take 50 % of a core at 0.5.
 * Then the longest that one hostile expression holds up the event loop.
 */
const expressions = option('expressions', 1_000)
const events = option('events', 2_000)
const rounds = option('rounds', 5)

const LIMITS = {
  whereLengthMax: 1_024,
  whereStepsMax: option('steps', 10_000),
}

const KINDS: Readonly<Record<string, (n: number) => string>> = {
  'equal text': (n) => `project == "project-${n}"`,
  number: (n) => `priority >= ${n % 10} && id != ${n}`,
  'member of a member': (n) =>
    `commit.author == "author-${n}" || commit.committer == "author-${n}"`,
  'start of a text': (n) => `commit.message.startsWith("fix ${n}")`,
  'part of a text': (n) => `commit.message.contains("issue ${n}")`,
  guarded: (n) => `has(event.build) && build.number == ${n}`,
  'in a list': (n) => `"label-${n}" in labels`,
  'any of a list': (n) => `commit.files.exists(f, f.startsWith("src/module-${n}/"))`,
  'missing member': (n) => `build.number == ${n}`,
  'missing behind a match': (n) => `priority >= 0 && build.number == ${n}`,
  'other type': (n) => `project > ${n}`,
}

const event = (n: number, payload: object): PublishedEvent => ({
  topics: ['commit', 'git'],
  isPrivate: false,
  path: '/commit/git',
  payload: { type: 'json-object', text: JSON.stringify(payload) },
  position: n as Position,
  cursor: `${n}` as Cursor,
  publishedAtMs: 1_764_000_000_000 + n,
})

const commit = (n: number): PublishedEvent =>
  event(n, {
    project: `project-${n % 2_000}`,
    id: n,
    priority: n % 10,
    labels: [`label-${n % 500}`, 'urgent', 'review'],
    commit: {
      author: `author-${n % 300}`,
      committer: 'bot',
      message: `fix ${n % 50}: see issue ${n % 100}`,
      files: ['README.md', `src/module-${n % 40}/index.ts`, 'package.json'],
    },
  })

const stream = Array.from({ length: events }, (_, n) => commit(n))

function costOf(kinds: readonly ((n: number) => string)[]): number {
  const where = new WhereExpressions(LIMITS)
  const predicates = Array.from({ length: expressions }, (_, n) =>
    where.parse(kinds[n % kinds.length]!(n)),
  )
  const run = (): number => {
    let matches = 0
    const start = performance.now()
    for (const each of stream)
      for (const predicate of predicates) matches += +predicate.matches(each)
    if (matches > events * expressions) throw new Error('more matches than events')
    return ((performance.now() - start) * 1_000) / events / expressions
  }
  run()
  return median(Array.from({ length: rounds }, run))
}

row(
  `${expressions} distinct expressions`,
  'µs per expression and event',
  '% of a core at 1,000 events/s',
)
row('---', '---', '---')
const cost = (name: string, kinds: readonly ((n: number) => string)[]) => {
  const microseconds = costOf(kinds)
  row(name, microseconds, (microseconds * expressions) / 10)
}
cost('all kinds, mixed', Object.values(KINDS))
for (const [name, kind] of Object.entries(KINDS)) cost(name, [kind])

/** As many subscribers of the same topic, each with an expression of its own or all without one. */
async function costThroughHub(kinds: readonly ((n: number) => string)[] | null): Promise<number> {
  const where = new WhereExpressions(LIMITS)
  const log = new MemoryEventLog({ eventsMax: 0, maxAgeMs: 0, bytesMax: 1 })
  using hub = new Hub(log, {
    queueBytesMax: Infinity,
    stallTimeoutMs: Infinity,
    topicFiltersMax: Infinity,
    conditionsMax: Infinity,
  })
  for (let n = 0; n < expressions; n++)
    hub.subscribe({
      wants: [{ topics: ['git'], privateOnly: false }],
      conditions: kinds === null ? [] : [where.parse(kinds[n % kinds.length]!(n))],
      rights: PUBLIC_ONLY,
      from: 'head',
      to: {
        encoding: new PypubsubEncoding(CHUNKED, { isOldSchool: false, hasAdditions: false }),
        sink: {
          write: () => true,
          queuedBytes: 0,
          takenBytes: 0,
          end: () => {},
          destroy: () => {},
        },
        opening: new Uint8Array(),
      },
    })
  const run = async (): Promise<number> => {
    const start = performance.now()
    for (const each of stream) await hub.publish([each])
    return ((performance.now() - start) * 1_000) / events / expressions
  }
  await run()
  const figures: number[] = []
  for (let round = 0; round < rounds; round++) figures.push(await run())
  return median(figures)
}

const show = (name: string, microseconds: number) =>
  row(name, microseconds, (microseconds * expressions) / 10)
show('mixed, through the hub', await costThroughHub(Object.values(KINDS)))
show('the hub without any', await costThroughHub(null))

const names = Array.from({ length: 8_000 }, (_, n) => `k${n}`)
const HOSTILE: Readonly<Record<string, readonly [string, object]>> = {
  'loops over a short list': [
    `${'a.all(x, '.repeat(8)}true${')'.repeat(8)}`,
    { a: [1, 2, 3, 4, 5, 6], text: 'x'.repeat(250) },
  ],
  'loop in a loop': ['a.all(x, a.all(y, x <= y || x > y))', { a: Array(50_000).fill(0) }],
  'four loops': [
    'a.exists(w, a.exists(x, a.exists(y, a.exists(z, w + x + y + z == 1))))',
    { a: Array(50_000).fill(0) },
  ],
  'errors in a loop': ['a.exists(x, a.exists(y, x.b > y.b))', { a: Array(50_000).fill(0) }],
  'library errors in a loop': ['a.exists(x, int(x) == 1)', { a: Array(20_000).fill('x') }],
  'list that doubles': [`[a]${'.map(x, x + x)'.repeat(60)}.size() == 1`, { a: [0, 1] }],
  'text that doubles': [`[a]${'.map(x, x + x)'.repeat(60)}.size() == 1`, { a: 'ab' }],
  'keys in a loop': [
    'm.all(x, m.all(y, m.size() > 1))',
    { m: Object.fromEntries(names.map((n) => [n, 0])) },
  ],
  'search that backs up': [
    'a.contains(b)',
    { a: 'ab'.repeat(25_000), b: `${'ab'.repeat(10_000)}b${'ab'.repeat(10_000)}` },
  ],
  'deep equality in a loop': [
    'a.all(x, a == b)',
    { a: Array(25_000).fill(0), b: Array(25_000).fill(0) },
  ],
  'long equality': [
    `${'a == b && '.repeat(100)}a == b`,
    { a: Array(25_000).fill(0), b: Array(25_000).fill(0) },
  ],
  'membership in a loop': ['a.all(x, !(-1.0 in a))', { a: Array(50_000).fill(0) }],
  'counting in a loop': [
    'a.all(x, s.size() > 1)',
    { a: Array(10_000).fill(0), s: 'é'.repeat(30_000) },
  ],
  'long expression': [`${'a + '.repeat(250)}a > 1`, { a: 1 }],
  'nested 900 deep': [
    'a == b',
    {
      a: JSON.parse('['.repeat(900) + ']'.repeat(900)),
      b: JSON.parse('['.repeat(900) + ']'.repeat(900)),
    },
  ],
}
console.log()
row('hostile expression', 'ms for the first event', 'ms for the next')
row('---', '---', '---')
for (const [name, [text, payload]] of Object.entries(HOSTILE)) {
  const predicate = new WhereExpressions(LIMITS).parse(text)
  const [first, ...rest] = [1, 2, 3, 4, 5, 6].map((n) => {
    const each = event(n, payload)
    const start = performance.now()
    predicate.matches(each)
    return performance.now() - start
  })
  row(name, first!, median(rest))
}
