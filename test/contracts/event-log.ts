import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Cursor, Position, PublishedEvent } from '../../src/hub/event.ts'
import type { StateStore } from '../../src/hub/state-store.ts'
import { ENVELOPE_BYTES_MAX, openedBy, sealed, tagsOf } from '../../src/publication/envelope.ts'
import type { Publication } from '../../src/publication/publication.ts'
import type { MovableClock } from '../log/movable-clock.ts'
import { receiptOf, type EventLog } from '../../src/hub/event-log.ts'
import { appendTo } from '../log/append-to.ts'

export interface LogUnderTest extends AsyncDisposable {
  readonly log: EventLog
  /** The one beside the log. */
  readonly stateStore: StateStore
  readonly loseNextOutcome: LoseNextOutcome
  /** The one the log looks at. */
  readonly clock: MovableClock
  /** What was told to the operator. */
  readonly told: readonly string[]
}

/**
 * The next commit is stored or not, as wished, and its answer is lost; the log goes on by itself after that. A text: why no
 * commit of this engine can end so.
 */
export type LoseNextOutcome = ((isStored: boolean) => void) | string

export interface LogOptions {
  readonly eventsMax: number
  readonly maxAgeMs: number
  readonly keyWindowMs?: number
  readonly keysMax?: number
  readonly keySpaces?: Readonly<Record<string, { keyWindowMs?: number; keysMax?: number }>>
}

export function publication(path: string, payload: object = {}): Publication {
  const topics = path.split('/').filter((topic) => topic !== '')
  const isPrivate = topics[0] === 'private'
  return {
    topics: isPrivate ? topics.slice(1) : topics,
    isPrivate,
    path,
    payload: { type: 'json-object', text: JSON.stringify(payload) },
  }
}

/** What every engine promises. `open` makes an empty log. */
export function eventLogContract(
  name: string,
  open: (options: LogOptions) => Promise<LogUnderTest>,
): void {
  const plenty = { eventsMax: 1_000, maxAgeMs: 0 }

  test(`${name}: an event keeps what was published and gets a position, a cursor and a time`, async () => {
    await using opened = await open(plenty)
    const given = publication('/private/fruits/apples/apples', { n: 1 })
    const [event] = await appendTo(opened.log, [given])
    const { position, cursor, publishedAtMs, ...kept } = event!
    assert.deepEqual(kept, given)
    assert.equal(position, opened.log.head)
    assert.match(cursor, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.ok(Number.isSafeInteger(publishedAtMs))
  })

  test(`${name}: an event whose payload came as bytes is read as such`, async () => {
    await using opened = await open(plenty)
    const payload = { type: 'data', text: '{"data":"42"}' } as const
    const [appended] = await appendTo(opened.log, [{ ...publication('/a'), payload }])
    assert.deepEqual(appended!.payload, payload)
    assert.deepEqual(await readAll(opened.log), [appended])
  })

  test(`${name}: the text of a payload is kept to the byte, white space too`, async () => {
    await using opened = await open(plenty)
    for (const text of ['{ }', '{\t}', '{ "a" : { } , "b":[ ]\t}', '{"n": 1.0, "n": 1e400}']) {
      const payload = { type: 'json-object', text } as const
      const [appended] = await appendTo(opened.log, [{ ...publication('/a'), payload }])
      assert.equal((await readAll(opened.log)).at(-1)?.payload.text, text)
      assert.deepEqual(appended!.payload, payload)
    }
  })

  test(`${name}: batches that are appended together are committed in the order they came, each whole`, async () => {
    await using opened = await open(plenty)
    const batches = await Promise.all(
      [1, 2, 3].map((n) => appendTo(opened.log, [publication(`/${n}/a`), publication(`/${n}/b`)])),
    )
    const all = await readAll(opened.log)
    assert.deepEqual(all.map(pathOf), ['/1/a', '/1/b', '/2/a', '/2/b', '/3/a', '/3/b'])
    assert.deepEqual(batches.flat(), all)
  })

  test(`${name}: a commit is told once, in order, before its publisher hears of it`, async () => {
    await using opened = await open(plenty)
    const told: string[] = []
    using _listener = opened.log.onCommit((events, head) => {
      told.push(...events.map(pathOf))
      assert.equal(head, opened.log.head)
      assert.equal(events.at(-1)?.position, head)
    })
    await opened.log.append([publication('/a')])
    assert.deepEqual(told, ['/a'])
    await Promise.all([
      appendTo(opened.log, [publication('/b')]),
      appendTo(opened.log, [publication('/c')]),
    ])
    assert.deepEqual(told, ['/a', '/b', '/c'])
  })

  for (const [what, extra] of [
    ['an envelope', { envelope: sealed({ door: 'a', bytes: Uint8Array.of(0, 255, 10) }) }],
    ['an empty envelope', { envelope: sealed({ door: 'a', bytes: new Uint8Array() }) }],
    ['the largest envelope', { envelope: sealed({ door: 'a', bytes: LARGEST }) }],
    ['tags', { tags: tagsOf({ traceparent: '00-é-"-01' }) }],
    ['no tags in the place for them', { tags: tagsOf({}) }],
    [
      'an envelope and tags',
      { envelope: sealed({ door: 'b', bytes: Buffer.from('x') }), tags: tagsOf({ n: '1' }) },
    ],
  ] as const)
    test(`${name}: ${what} is kept with the event, and given to listeners and readers alike`, async () => {
      await using opened = await open(plenty)
      const plain = publication('/a', { n: 1 })
      const [event, other] = await appendTo(opened.log, [{ ...plain, ...extra }, plain])
      const { position: _position, cursor: _cursor, publishedAtMs: _ms, ...kept } = event!
      assert.deepEqual(kept, { ...plain, ...extra })
      const read = await readAll(opened.log)
      assert.deepEqual(read, [event, other])
      assert.deepEqual(Object.keys(read[1]!).toSorted(), Object.keys(other!).toSorted())
      assert.ok(!('envelope' in other! || 'tags' in other!))
      assert.deepEqual(await opened.log.lastOf('/a'), other)
    })

  test(`${name}: an envelope is what it was when it was sealed`, async () => {
    await using opened = await open(plenty)
    const bytes = Buffer.from('abc')
    const envelope = sealed({ door: 'a', bytes })
    bytes.fill(0)
    await opened.log.append([{ ...publication('/a'), envelope }])
    const [event] = await readAll(opened.log)
    assert.deepEqual(openedBy('a', event!), Uint8Array.from(Buffer.from('abc')))
    assert.equal(openedBy('b', event!), null)
  })

  test(`${name}: envelopes fill a page, too`, async () => {
    await using opened = await open(plenty)
    const envelope = sealed({ door: 'a', bytes: LARGEST })
    await opened.log.append(Array.from({ length: 8 }, () => ({ ...publication('/a'), envelope })))
    for (const pages of [
      opened.log.read(0 as Position, { pageBytes: 100_000 }),
      opened.log.readBack((opened.log.head + 1) as Position, { pageBytes: 100_000 }),
    ])
      for await (const { events } of pages) assert.ok(events.length <= 2, `${events.length} events`)
  })

  test(`${name}: reading back gives what reading gives, newest first, whatever is asked for`, async () => {
    await using opened = await open({ eventsMax: 900, maxAgeMs: 0 })
    const { log } = opened
    const events: PublishedEvent[] = []
    for (let n = 0; n < 1_000; n += 100)
      events.push(
        ...(await appendTo(
          log,
          Array.from({ length: 100 }, (_, i) =>
            publication(`${(n + i) % 10 === 0 ? '/private' : ''}/${topicsOf(n + i)}`, { n: n + i }),
          ),
        )),
      )
    const newest = events.slice(100)
    const at = fc.nat(newest.length - 1).map((index) => newest[index]!.position)
    const filter = fc.record({
      topics: fc.uniqueArray(fc.constantFrom('all', 'third', 'rare', 'never')),
      privateOnly: fc.boolean(),
    })
    const wanted = fc.record({
      before: fc.option(at, { nil: (log.head + 1) as Position }),
      downTo: fc.option(at, { nil: undefined }),
      filters: fc.option(fc.array(filter, { minLength: 1, maxLength: 2 }), { nil: undefined }),
      pageBytes: fc.constantFrom(1, 10_000, 1e6),
    })
    await fc.assert(
      fc.asyncProperty(wanted, async ({ before, downTo, filters, pageBytes }) => {
        const options = { pageBytes, ...(filters && { filters }) }
        const given: PublishedEvent[] = []
        let reached = before
        for await (const page of log.readBack(before, { ...options, ...(downTo && { downTo }) })) {
          assert.ok(page.reached < reached || page.events.length === 0)
          assert.equal(page.gap, null)
          for (const { position } of page.events)
            assert.ok(position < reached && position >= page.reached)
          reached = page.reached
          given.push(...page.events)
        }
        const after = ((downTo ?? newest[0]!.position) - 1) as Position
        const until = (before - 1) as Position
        const pages = await Array.fromAsync(log.read(after, { ...options, until, pageBytes: 1e6 }))
        const forward = until <= after ? [] : pages.flatMap((page) => page.events)
        assert.deepEqual(given, forward.toReversed())
      }),
      { numRuns: 40 },
    )
  })

  test(`${name}: who reads back beyond the oldest event by its place is told, who reads back all is not`, async () => {
    await using opened = await open({ eventsMax: 3, maxAgeMs: 0 })
    const { log } = opened
    const events = await appendTo(
      log,
      ['/a', '/b', '/c', '/d', '/e'].map((path) => publication(path)),
    )
    const back = async (downTo?: Position) => {
      const end = (log.head + 1) as Position
      const options = { pageBytes: 1, ...(downTo && { downTo }) }
      const pages = await Array.fromAsync(log.readBack(end, options))
      return [pages.flatMap((page) => page.events.map(pathOf)).join(''), pages.at(-1)?.gap]
    }
    assert.deepEqual(await back(), ['/e/d/c', null])
    assert.deepEqual(await back(events[2]!.position), ['/e/d/c', null])
    assert.deepEqual(await back(events[3]!.position), ['/e/d', null])
    assert.deepEqual(await back(events[1]!.position), ['/e/d/c', 'expired'])
    const atOldest = log.readBack(log.status.oldest, { pageBytes: 1, downTo: events[0]!.position })
    assert.deepEqual(
      (await Array.fromAsync(atOldest)).map(({ events: found, gap }) => [found, gap]),
      [[[], 'expired']],
    )
    const empty = log.readBack(events[0]!.position, { pageBytes: 1 })
    assert.deepEqual(await Array.fromAsync(empty), [])
  })

  test(`${name}: what is published while somebody reads back is not in his way`, async () => {
    await using opened = await open(plenty)
    await opened.log.append([publication('/a'), publication('/b'), publication('/c')])
    const seen: string[] = []
    const end = (opened.log.head + 1) as Position
    for await (const { events } of opened.log.readBack(end, { pageBytes: 1 })) {
      seen.push(...events.map(pathOf))
      await opened.log.append([publication('/new')])
    }
    assert.deepEqual(seen, ['/c', '/b', '/a'])
  })

  test(`${name}: the last event of a path is that of exactly this path, and known at once`, async () => {
    await using opened = await open(plenty)
    const { log } = opened
    assert.equal(await log.lastOf('/a'), null)
    const paths = ['/a', '/a/b', '/b/a', '/private/a', '/a/b', '/A', '/a/']
    const last = new Map<string, PublishedEvent>()
    for (const [n, path] of paths.entries()) {
      const [event] = await appendTo(log, [publication(path, { n })])
      last.set(path, event!)
      for (const [each, expected] of last) assert.deepEqual(await log.lastOf(each), expected, each)
    }
    for (const path of ['/', '', '/b', '/a/b/', '/private', 'a'])
      assert.equal(await log.lastOf(path), null, path)
  })

  test(`${name}: the last events of many paths are found, and those that are dropped are not`, async () => {
    await using opened = await open({ eventsMax: 15_000, maxAgeMs: HOUR_MS })
    const { log, clock } = opened
    const last = new Map<string, PublishedEvent>()
    for (let round = 0; round < 20; round++) {
      const batch = Array.from({ length: 1_000 }, (_, n) =>
        publication(n % 100 === 0 ? `/${round}/${n}` : `/${n % 7}`, { round, n }),
      )
      for (const event of await appendTo(log, batch)) last.set(event.path, event)
      const { oldest } = log.status
      for (const [path, event] of [...last].toReversed().slice(0, 20))
        assert.deepEqual(await log.lastOf(path), event.position >= oldest ? event : null, path)
    }
    for (const [path, event] of last) {
      const isKept = event.position >= log.status.oldest
      assert.deepEqual(await log.lastOf(path), isKept ? event : null, path)
    }
    clock.pass(2 * HOUR_MS)
    assert.equal(await log.lastOf('/3'), null)
  })

  test(`${name}: state is stored with the events, or neither is`, async () => {
    const opened = await open(plenty)
    const { log, stateStore } = opened
    await stateStore.apply([stateOf('gone')])
    let wasThere: Promise<unknown> | undefined
    using _listener = log.onCommit(() => void (wasThere ??= stateStore.get('s', 'a')))
    await log.append([publication('/a')], {
      state: [stateOf('a'), stateOf('b'), { space: 's', key: 'gone', value: null }],
    })
    const keys = async () => (await Array.fromAsync(stateStore.entries('s'))).map(({ key }) => key)
    assert.deepEqual(await keys(), ['a', 'b'])
    assert.deepEqual(await wasThere, Uint8Array.from(Buffer.from('a')))
    const refused = assert.rejects(log.append([publication('/b')], { state: [stateOf('c')] }), {
      code: 'LOG_UNAVAILABLE',
    })
    const { head } = log
    await opened[Symbol.asyncDispose]()
    await refused
    assert.equal(log.head, head)
  })

  test(`${name}: a repeated key stores no state again`, async () => {
    await using opened = await open(plenty)
    const { log, stateStore } = opened
    const once = { key: 'k', fingerprint: 'f' }
    const store = (text: string) =>
      log.append([publication('/a')], {
        once,
        state: [{ space: 's', key: 'k', value: Buffer.from(text) }],
      })
    assert.deepEqual(await store('first'), await store('second'))
    assert.deepEqual(Buffer.from((await stateStore.get('s', 'k'))!).toString(), 'first')
  })

  test(`${name}: each space of keys has its own keys, window and number of them`, async () => {
    const keySpaces = { short: { keyWindowMs: 1_000 }, few: { keysMax: 1 } }
    await using opened = await open({ ...plenty, keyWindowMs: 10_000, keySpaces })
    const store = async (key: string, space?: string) => {
      const { head } = opened.log
      const once = { key, fingerprint: 'f', ...(space !== undefined && { space }) }
      await opened.log.append([publication('/a')], { once })
      return opened.log.head > head
    }
    for (const space of [undefined, 'short', 'few', 'another']) {
      assert.equal(await store('k', space), true)
      assert.equal(await store('k', space), false)
    }
    assert.equal(await store('l', 'few'), true)
    assert.equal(await store('k', 'few'), true)
    opened.clock.pass(1_000)
    assert.equal(await store('k', 'short'), true)
    assert.equal(await store('k'), false)
    assert.equal(await store('k', 'another'), false)
    opened.clock.pass(9_000)
    assert.equal(await store('k'), true)
  })

  test(`${name}: a receipt says where the batch lies`, async () => {
    await using opened = await open(plenty)
    const { log, clock } = opened
    const told: PublishedEvent[] = []
    using _listener = log.onCommit((events) => void told.push(...events))
    const receipts = await Promise.all(
      [['/a'], ['/b', '/c', '/d'], ['/e']].map((paths) =>
        log.append(paths.map((path) => publication(path))),
      ),
    )
    clock.pass(1_000)
    receipts.push(await log.append([publication('/f')]))
    let at = 0
    for (const { count, ...rest } of receipts) {
      const [first, last] = [told[at]!, told[at + count - 1]!]
      at += count
      assert.deepEqual(rest, {
        first: first.cursor,
        last: last.cursor,
        firstPosition: first.position,
        lastPosition: last.position,
        publishedAtMs: last.publishedAtMs,
      })
      assert.equal(last.position - first.position, count - 1)
    }
    assert.deepEqual(
      receipts.map(({ count }) => count),
      [1, 3, 1, 1],
    )
  })

  test(`${name}: an empty batch is refused`, async () => {
    await using opened = await open(plenty)
    await assert.rejects(opened.log.append([]), RangeError)
    await assert.rejects(
      opened.log.append([], { once: { key: 'k', fingerprint: 'f' } }),
      RangeError,
    )
  })

  test(`${name}: a log is flushed once everything that was appended before is told, and stores nothing for that`, async () => {
    await using opened = await open(plenty)
    const { log } = opened
    const told: string[] = []
    let commits = 0
    using _listener = log.onCommit((events) => {
      commits++
      told.push(...events.map(pathOf))
    })
    const { head } = log
    void log.append([publication('/a')])
    await log.flushed()
    assert.deepEqual(told, ['/a'])
    void log.append([publication('/b')])
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    void log.append([publication('/c')])
    await Promise.all([log.flushed(), log.flushed()])
    assert.deepEqual(told, ['/a', '/b', '/c'])
    await log.flushed()
    assert.equal(log.head, head + 3)
    assert.ok(commits <= 3)
  })

  test(`${name}: a log is flushed, too, when what was appended before is refused`, async () => {
    const opened = await open(plenty)
    const { log } = opened
    const refused = assert.rejects(log.append([publication('/a')]), { code: 'LOG_UNAVAILABLE' })
    const flushed = log.flushed()
    await opened[Symbol.asyncDispose]()
    await Promise.all([refused, flushed, log.flushed()])
  })

  test(`${name}: a listener that is disposed of hears no more`, async () => {
    await using opened = await open(plenty)
    let told = 0
    opened.log.onCommit(() => told++)[Symbol.dispose]()
    await opened.log.append([publication('/a')])
    assert.equal(told, 0)
  })

  test(`${name}: the head moves only with a commit`, async () => {
    await using opened = await open(plenty)
    const before = opened.log.head
    const appended = appendTo(opened.log, [publication('/a')])
    assert.equal(opened.log.head, before)
    await appended
    assert.ok(opened.log.head > before)
  })

  test(`${name}: reading after a position skips the event it belongs to`, async () => {
    await using opened = await open(plenty)
    const [first, second] = await appendTo(opened.log, [publication('/a'), publication('/b')])
    assert.deepEqual(await readAll(opened.log, first!.position), [second])
  })

  test(`${name}: reading after the head gives nothing`, async () => {
    await using opened = await open(plenty)
    await opened.log.append([publication('/a')])
    assert.deepEqual(await readAll(opened.log, opened.log.head), [])
  })

  test(`${name}: reading until a position stops with the event it belongs to`, async () => {
    await using opened = await open(plenty)
    const events = await appendTo(
      opened.log,
      ['/a', '/b', '/c'].map((path) => publication(path)),
    )
    const pages = await Array.fromAsync(
      opened.log.read(0 as Position, { until: events[1]!.position, pageBytes: 1e6 }),
    )
    assert.deepEqual(
      pages.flatMap((page) => page.events),
      events.slice(0, 2),
    )
    assert.equal(pages.at(-1)?.reached, events[1]!.position)
  })

  test(`${name}: tiny events fill a page, too`, async () => {
    await using opened = await open(plenty)
    await opened.log.append(Array.from({ length: 1_000 }, () => publication('/a')))
    for await (const { events } of opened.log.read(0 as Position, { pageBytes: 50_000 }))
      assert.ok(events.length < 200, `${events.length} events in a page`)
  })

  for (const [wish, filters] of [
    ['everything', undefined],
    ['a topic', [{ topics: ['a'], privateOnly: false }]],
  ] as const)
    test(`${name}: readers of ${wish} who come from different places soon have the same pages`, async () => {
      await using opened = await open({ eventsMax: 10_000, maxAgeMs: 0 })
      const paths = ['/a', '/b', '/c'].map((path) => publication(path))
      const events = await appendTo(
        opened.log,
        Array.from({ length: 9_000 }, (_, n) => paths[n % 3]!),
      )
      const ends = async (start: number) => {
        const options = { pageBytes: 20_000, ...(filters && { filters }) }
        const pages = await Array.fromAsync(opened.log.read(events[start]!.position, options))
        return pages.map(({ reached }) => reached)
      }
      const ofOne = new Set(await ends(0))
      for (const start of [1, 10, 57, 100, 333, 1_000])
        assert.ok((await ends(start)).slice(8).every((end) => ofOne.has(end)))
    })

  test(`${name}: a page ends with the event that reaches its size, and the next goes on behind it`, async () => {
    await using opened = await open(plenty)
    const events = await appendTo(
      opened.log,
      [1, 2, 3].map((n) => publication('/a', { text: 'x'.repeat(100), n })),
    )
    const pages = await Array.fromAsync(opened.log.read(0 as Position, { pageBytes: 101 }))
    assert.deepEqual(
      pages.map((page) => page.events),
      [[events[0]!], [events[1]!], [events[2]!]],
    )
    assert.deepEqual(
      pages.map((page) => page.reached),
      events.map((event) => event.position),
    )
  })

  test(`${name}: a filter leaves out what does not match, and the position moves past it`, async () => {
    await using opened = await open(plenty)
    const events = await appendTo(
      opened.log,
      ['/fruits/apples', '/fruits', '/apples/fruits/red', '/private/fruits/apples', '/nuts'].map(
        (path) => publication(path),
      ),
    )
    const filters = [
      { topics: ['apples', 'fruits'], privateOnly: false },
      { topics: ['none'], privateOnly: false },
    ]
    const pages = await Array.fromAsync(opened.log.read(0 as Position, { filters, pageBytes: 1e6 }))
    assert.deepEqual(
      pages.flatMap((page) => page.events.map(pathOf)),
      ['/fruits/apples', '/apples/fruits/red', '/private/fruits/apples'],
    )
    assert.equal(pages.at(-1)?.reached, events.at(-1)!.position)
  })

  test(`${name}: a filter for private events leaves out the public ones`, async () => {
    await using opened = await open(plenty)
    await opened.log.append([
      publication('/a'),
      publication('/private/a'),
      publication('/private/b'),
    ])
    const read = opened.log.read(0 as Position, {
      filters: [{ topics: ['a'], privateOnly: true }],
      pageBytes: 1e6,
    })
    const pages = await Array.fromAsync(read)
    assert.deepEqual(
      pages.flatMap((page) => page.events.map(pathOf)),
      ['/private/a'],
    )
  })

  test(`${name}: who asks for public events alone gets no others, and none of them fills a page`, async () => {
    await using opened = await open(plenty)
    const small = ['/a', '/private/a', '/b', '/private/b', '/a'].map((path) => publication(path))
    const large = { text: 'x'.repeat(3_000) }
    const others = Array.from({ length: 20 }, () => publication('/private/a', large))
    await opened.log.append([...small.slice(0, 3), ...others, ...small.slice(3), ...others])
    for (const [filters, due] of [
      [undefined, ['/a', '/b', '/a']],
      [[{ topics: ['a'], privateOnly: false }], ['/a', '/a']],
      [[{ topics: ['a'], privateOnly: true }], []],
    ] as const) {
      const options = { publicOnly: true, pageBytes: 5_000, ...(filters && { filters }) }
      const pages = await Array.fromAsync(opened.log.read(0 as Position, options))
      assert.deepEqual(
        pages.map(({ events }) => events.map(pathOf)),
        [due],
      )
      assert.equal(pages[0]!.reached, opened.log.head)
    }
  })

  test(`${name}: a reader gets what is committed while it reads`, async () => {
    await using opened = await open(plenty)
    await opened.log.append([publication('/a'), publication('/b')])
    const seen: string[] = []
    for await (const page of opened.log.read(0 as Position, { pageBytes: 1 })) {
      seen.push(...page.events.map(pathOf))
      if (seen.length === 1) await appendTo(opened.log, [publication('/c')])
    }
    assert.deepEqual(seen, ['/a', '/b', '/c'])
  })

  test(`${name}: only the newest events are kept, and the oldest kept one is known`, async () => {
    await using opened = await open({ eventsMax: 2, maxAgeMs: 0 })
    const events = await appendTo(
      opened.log,
      ['/a', '/b', '/c'].map((path) => publication(path)),
    )
    assert.deepEqual(await readAll(opened.log), events.slice(1))
    assert.equal(opened.log.status.oldest, events[1]!.position)
  })

  test(`${name}: who reads on behind events that were dropped is told, once`, async () => {
    await using opened = await open({ eventsMax: 3, maxAgeMs: 0 })
    const { log } = opened
    const [first] = await appendTo(log, [publication('/a')])
    await log.append(['/b', '/c', '/d', '/e'].map((path) => publication(path)))
    const gapsAfter = async (position: Position, until?: Position) => {
      const options = { pageBytes: 1, ...(until !== undefined && { until }) }
      const pages = await Array.fromAsync(log.read(position, options))
      return pages.map(({ gap }) => gap)
    }
    assert.deepEqual(await gapsAfter(first!.position), ['expired', null, null])
    assert.deepEqual(await gapsAfter((log.status.oldest - 1) as Position), [null, null, null])
    const dropped = (log.status.oldest - 1) as Position
    assert.deepEqual(await gapsAfter(first!.position, dropped), ['expired'])
    const filters = [{ topics: ['e'], privateOnly: false }]
    const pages = await Array.fromAsync(log.read(first!.position, { filters, pageBytes: 1e6 }))
    assert.deepEqual(
      pages.map(({ gap, events }) => [gap, events.length]),
      [['expired', 1]],
    )
  })

  test(`${name}: a reader whose place is dropped while it reads is told`, async () => {
    await using opened = await open({ eventsMax: 3, maxAgeMs: HOUR_MS })
    const { log, clock } = opened
    const append = (...paths: string[]) =>
      appendTo(
        log,
        paths.map((path) => publication(path)),
      )
    await append('/a', '/b', '/c')
    const read: [string, string | null][] = []
    for await (const { events, gap } of log.read((log.status.oldest - 1) as Position, {
      pageBytes: 1,
    })) {
      read.push([events.map(pathOf).join(), gap])
      if (read.length === 1) await append('/d', '/e')
      if (read.length === 2) {
        clock.pass(2 * HOUR_MS)
        await append('/f')
      }
    }
    assert.deepEqual(read, [
      ['/a', null],
      ['/c', 'expired'],
      ['/f', 'expired'],
    ])
  })

  test(`${name}: a log that keeps nothing tells who reads that something is missing`, async () => {
    await using opened = await open({ eventsMax: 0, maxAgeMs: 0 })
    const { head } = opened.log
    await opened.log.append([publication('/a')])
    const pages = await Array.fromAsync(opened.log.read(head, { pageBytes: 1e6 }))
    assert.deepEqual(
      pages.map(({ events, gap }) => [events, gap]),
      [[[], 'expired']],
    )
  })

  test(`${name}: an event past its age is not read any more`, async () => {
    await using opened = await open({ eventsMax: 10, maxAgeMs: 1_000 })
    await opened.log.append([publication('/old')])
    opened.clock.pass(600)
    const [young] = await appendTo(opened.log, [publication('/young')])
    opened.clock.pass(600)
    assert.deepEqual(await readAll(opened.log), [young])
    assert.equal(opened.log.status.oldest, young!.position)
  })

  test(`${name}: a log that keeps nothing has its oldest event in the future`, async () => {
    await using opened = await open({ eventsMax: 0, maxAgeMs: 0 })
    const [event] = await appendTo(opened.log, [publication('/a')])
    assert.deepEqual(await readAll(opened.log), [])
    assert.equal(opened.log.status.oldest, event!.position + 1)
    assert.deepEqual(opened.log.resolve(event!.cursor), { type: 'found', at: event!.position })
  })

  test(`${name}: the cursor of an event is found while everything after it is kept, and expired then`, async () => {
    await using opened = await open({ eventsMax: 2, maxAgeMs: 0 })
    const events = await appendTo(
      opened.log,
      ['/a', '/b', '/c', '/d'].map((path) => publication(path)),
    )
    assert.deepEqual(
      events.map((event) => opened.log.resolve(event.cursor).type),
      ['expired', 'found', 'found', 'found'],
    )
    for (const { cursor, position } of [events[0]!, events[2]!]) {
      const resolution = opened.log.resolve(cursor)
      assert.equal('at' in resolution && resolution.at, position)
    }
  })

  test(`${name}: the cursor of a place leads there, and looks different every time`, async () => {
    await using opened = await open(plenty)
    const [event] = await appendTo(opened.log, [publication('/a')])
    const [one, two] = [opened.log.cursorOf(event!.position), opened.log.cursorOf(event!.position)]
    assert.notEqual(one, two)
    assert.notEqual(one, event!.cursor)
    for (const cursor of [one, two])
      assert.deepEqual(opened.log.resolve(cursor), { type: 'found', at: event!.position })
  })

  test(`${name}: cursors of another log, made-up and damaged ones are foreign`, async () => {
    await using opened = await open(plenty)
    await using other = await open(plenty)
    const [event] = await appendTo(opened.log, [publication('/a')])
    const [elsewhere] = await appendTo(other.log, [publication('/a')])
    const damaged = event!.cursor.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'))
    for (const cursor of [
      elsewhere!.cursor,
      'f02b4908-755f-4455-a215-d1627f190110',
      damaged,
      '',
      'x'.repeat(36),
    ])
      assert.deepEqual(opened.log.resolve(cursor as Cursor), { type: 'foreign' }, cursor)
  })

  test(`${name}: a time leads to the first event at or after it, the future to the head`, async () => {
    await using opened = await open(plenty)
    const [first] = await appendTo(opened.log, [publication('/a')])
    opened.clock.pass(1_000)
    const [second] = await appendTo(opened.log, [publication('/b')])
    const after = async (timeMs: number) => readAll(opened.log, await opened.log.positionAt(timeMs))
    assert.deepEqual(await after(0), [first, second])
    assert.deepEqual(await after(first!.publishedAtMs), [first, second])
    assert.deepEqual(await after(first!.publishedAtMs + 1), [second])
    assert.deepEqual(await after(second!.publishedAtMs), [second])
    assert.equal(await opened.log.positionAt(second!.publishedAtMs + 1), opened.log.head)
  })

  test(`${name}: times never decrease, though the clock is set back`, async () => {
    await using opened = await open(plenty)
    const [first] = await appendTo(opened.log, [publication('/a')])
    opened.clock.set(-3_600_000)
    const [second] = await appendTo(opened.log, [publication('/b')])
    assert.ok(second!.publishedAtMs >= first!.publishedAtMs)
  })

  test(`${name}: a clock that is a year ahead for an hour neither stamps events nor expires them`, async () => {
    await using opened = await open({ eventsMax: 10, maxAgeMs: 3 * HOUR_MS })
    const { log, clock } = opened
    const startMs = clock.wallMs()
    const append = async (path: string) => (await appendTo(log, [publication(path)]))[0]!
    const once = { key: 'k', fingerprint: 'f' }
    const receipt = await log.append([publication('/a')], { once })
    clock.set(YEAR_MS)
    await append('/b')
    clock.pass(HOUR_MS)
    await append('/c')
    assert.deepEqual(await log.append([publication('/a')], { once }), receipt)
    assert.equal(await log.positionAt(log.timeAgo(0) + 1), log.head)
    clock.set(-YEAR_MS)
    clock.pass(HOUR_MS)
    await append('/d')
    assert.deepEqual(
      (await readAll(log)).map(({ path, publishedAtMs }) => [path, publishedAtMs - startMs]),
      [
        ['/a', 0],
        ['/b', 0],
        ['/c', HOUR_MS],
        ['/d', 2 * HOUR_MS],
      ],
    )
    assert.match(
      opened.told.join('\n'),
      /warn the clock leapt 365 days forward[^]*warn the clock is right again/,
    )
    clock.pass(HOUR_MS + 1)
    assert.deepEqual((await readAll(log)).map(pathOf), ['/b', '/c', '/d'].slice(1))
  })

  test(`${name}: a clock that is set forward for good is followed in time, and that is no age`, async () => {
    await using opened = await open({ eventsMax: 10, maxAgeMs: HOUR_MS })
    const { log, clock } = opened
    clock.set(2 * HOUR_MS)
    const [early] = await appendTo(log, [publication('/early')])
    assert.equal(early!.publishedAtMs, clock.wallMs() - 2 * HOUR_MS)
    for (let passedMs = 0; passedMs < 2 * HOUR_MS; passedMs += HOUR_MS / 2) {
      assert.equal(log.timeAgo(0), clock.wallMs() - 2 * HOUR_MS)
      clock.pass(HOUR_MS / 2)
      await log.append([publication('/a')])
    }
    const [late] = await appendTo(log, [publication('/late')])
    assert.equal(late!.publishedAtMs, clock.wallMs())
    assert.equal(log.timeAgo(HOUR_MS / 4), clock.wallMs() - 2.25 * HOUR_MS)
    assert.deepEqual((await readAll(log)).map(pathOf), ['/a', '/a', '/a', '/late'])
    assert.match(opened.told.join('\n'), /followed 2 h forward/)
  })

  test(`${name}: while the clock is set back, times go on, and no event is younger than now`, async () => {
    await using opened = await open({ eventsMax: 100, maxAgeMs: 10 * HOUR_MS })
    const { log, clock } = opened
    let lastMs = (await appendTo(log, [publication('/a')]))[0]!.publishedAtMs
    clock.set(-HOUR_MS)
    for (let n = 0; n < 4; n++) {
      clock.pass(HOUR_MS)
      const [event] = await appendTo(log, [publication(`/${n}`)])
      assert.ok(event!.publishedAtMs >= lastMs)
      assert.ok(event!.publishedAtMs <= Math.max(log.timeAgo(0), clock.wallMs()))
      assert.equal(await log.positionAt(log.timeAgo(0) + 1), log.head)
      lastMs = event!.publishedAtMs
    }
    assert.equal(lastMs, clock.wallMs())
    assert.equal((await readAll(log)).length, 5)
  })

  test(`${name}: a machine that has slept expires what became too old meanwhile`, async () => {
    await using opened = await open({ eventsMax: 100, maxAgeMs: HOUR_MS })
    const { log, clock } = opened
    await log.append([publication('/a')])
    clock.sleep(10 * HOUR_MS)
    const [event] = await appendTo(log, [publication('/b')])
    assert.equal(event!.publishedAtMs, clock.wallMs())
    assert.deepEqual((await readAll(log)).map(pathOf), ['/b'])
    assert.deepEqual(opened.told, [])
  })

  test(`${name}: a batch of a known key is stored once, whether the first is stored yet or not`, async () => {
    await using opened = await open(plenty)
    const batch = [publication('/a'), publication('/b')]
    const once = { key: 'k', fingerprint: 'f' }
    const [one, two] = await Promise.all([
      opened.log.append(batch, { once }),
      opened.log.append(batch, { once }),
    ])
    const events = await readAll(opened.log)
    assert.deepEqual(events.map(pathOf), ['/a', '/b'])
    const [first, last] = [events[0]!, events[1]!]
    assert.deepEqual(one, receiptOf(first, last))
    assert.deepEqual(two, one)
    assert.deepEqual(await opened.log.append(batch, { once }), one)
    await opened.log.append([publication('/c')], { once: { key: 'other', fingerprint: 'f' } })
    assert.deepEqual((await readAll(opened.log)).map(pathOf), ['/a', '/b', '/c'])
  })

  test(`${name}: a known key with something else is refused, and nothing stored`, async () => {
    await using opened = await open(plenty)
    await opened.log.append([publication('/a')], { once: { key: 'k', fingerprint: 'f' } })
    await assert.rejects(
      opened.log.append([publication('/b')], { once: { key: 'k', fingerprint: 'g' } }),
      {
        code: 'IDEMPOTENCY_KEY_REUSED',
      },
    )
    assert.deepEqual((await readAll(opened.log)).map(pathOf), ['/a'])
  })

  for (const [what, window, windowMs] of [
    ['of a day', {}, 86_400_000],
    ['that is configured', { keyWindowMs: 5_000 }, 5_000],
  ] as const)
    test(`${name}: a key is known until its window ${what} has passed, and new again then`, async () => {
      await using opened = await open({ ...plenty, ...window })
      const once = { key: 'k', fingerprint: 'f' }
      const first = await opened.log.append([publication('/a')], { once })
      opened.clock.pass(windowMs - 1)
      assert.deepEqual(await opened.log.append([publication('/a')], { once }), first)
      opened.clock.pass(1)
      const second = await opened.log.append([publication('/a')], { once })
      assert.notEqual(second.last, first.last)
      // The window is that of the new event.
      opened.clock.pass(windowMs - 1)
      assert.deepEqual(await opened.log.append([publication('/a')], { once }), second)
      assert.deepEqual((await readAll(opened.log)).map(pathOf), ['/a', '/a'])
    })

  test(`${name}: beyond their number the oldest key is forgotten, and by a new one only`, async () => {
    await using opened = await open({ ...plenty, keysMax: 2 })
    const store = (key: string) =>
      opened.log.append([publication(`/${key}`)], { once: { key, fingerprint: 'f' } })
    for (const key of ['a', 'b', 'a', 'b', 'a', 'c', 'b', 'c', 'a', 'c']) await store(key)
    await assert.rejects(
      opened.log.append([publication('/x')], { once: { key: 'c', fingerprint: 'g' } }),
      {
        code: 'IDEMPOTENCY_KEY_REUSED',
      },
    )
    await store('c')
    assert.deepEqual((await readAll(opened.log)).map(pathOf), ['/a', '/b', '/c', '/a'])
  })

  test(`${name}: of keys that come at once, the newest are known`, async () => {
    await using opened = await open({ ...plenty, keysMax: 10 })
    const keys = Array.from({ length: 30 }, (_, n) => `${n}`)
    const store = (key: string) =>
      opened.log.append([publication(`/${key}`)], { once: { key, fingerprint: 'f' } })
    await Promise.all(keys.map(store))
    await Promise.all(keys.slice(20).map(store))
    assert.equal((await readAll(opened.log)).length, 30)
    await store('0')
    assert.equal((await readAll(opened.log)).length, 31)
  })

  test(`${name}: a log that is closed refuses what comes, also what has been waiting`, async () => {
    const opened = await open(plenty)
    const waiting = appendTo(opened.log, [publication('/a')])
    const refused = assert.rejects(waiting, { code: 'LOG_UNAVAILABLE' })
    await opened[Symbol.asyncDispose]()
    await refused
    await assert.rejects(appendTo(opened.log, [publication('/b')]), { code: 'LOG_UNAVAILABLE' })
  })

  test(`${name}: what is refused leaves no receipt, so that its repeat is refused, too`, async () => {
    const opened = await open(plenty)
    const store = () =>
      opened.log.append([publication('/a')], { once: { key: 'k', fingerprint: 'f' } })
    const refused = assert.rejects(store(), { code: 'LOG_UNAVAILABLE' })
    await opened[Symbol.asyncDispose]()
    await refused
    await assert.rejects(store(), { code: 'LOG_UNAVAILABLE' })
  })

  for (const [what, isStored] of [
    ['was stored', true],
    ['was not stored', false],
  ] as const) {
    test(`${name}: of a batch that ${what} without an answer it is told that nobody knows, and the log has all of it or nothing`, async (t) => {
      await using opened = await open(plenty)
      const { log, loseNextOutcome } = opened
      if (typeof loseNextOutcome === 'string') return t.skip(loseNextOutcome)
      const told: PublishedEvent[] = []
      using _listener = log.onCommit((events) => void told.push(...events))
      const [before] = await appendTo(log, [publication('/before')])
      loseNextOutcome(isStored)
      const lost = appendTo(log, [publication('/a'), publication('/b')])
      await assert.rejects(lost, { code: 'OUTCOME_UNKNOWN' })
      await untilWritable(log)
      const [after] = await appendTo(log, [publication('/after')])
      const all = await readAll(log)
      assert.deepEqual([all[0], all.at(-1)], [before, after])
      const between = all.slice(1, -1).map(pathOf)
      assert.deepEqual(between, between.length === 0 ? [] : ['/a', '/b'])
      assert.deepEqual(told, all)
    })

    test(`${name}: of a keyed batch that ${what} without an answer the repeat is stored once`, async (t) => {
      await using opened = await open(plenty)
      const { log, loseNextOutcome } = opened
      if (typeof loseNextOutcome === 'string') return t.skip(loseNextOutcome)
      const store = () => log.append([publication('/a')], { once: { key: 'k', fingerprint: 'f' } })
      loseNextOutcome(isStored)
      await assert.rejects(store(), { code: 'OUTCOME_UNKNOWN' })
      await untilWritable(log)
      const receipt = await store()
      assert.deepEqual(await store(), receipt)
      const events = await readAll(log)
      assert.deepEqual(
        events.map(({ path, cursor }) => [path, cursor]),
        [['/a', receipt.first]],
      )
    })
  }

  test(`${name}: a log is flushed once nobody knows of what was appended before, and it is told what the log has of it`, async (t) => {
    await using opened = await open(plenty)
    const { log, loseNextOutcome } = opened
    if (typeof loseNextOutcome === 'string') return t.skip(loseNextOutcome)
    loseNextOutcome(true)
    const lost = assert.rejects(log.append([publication('/a')]), { code: 'OUTCOME_UNKNOWN' })
    await log.flushed()
    await lost
  })

  test(`${name}: what waits behind a commit without an answer is refused for certain, and not in the log`, async (t) => {
    await using opened = await open(plenty)
    const { log, loseNextOutcome } = opened
    if (typeof loseNextOutcome === 'string') return t.skip(loseNextOutcome)
    loseNextOutcome(true)
    const first = assert.rejects(appendTo(log, [publication('/first')]), {
      code: 'OUTCOME_UNKNOWN',
    })
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    await assert.rejects(appendTo(log, [publication('/behind')]), { code: 'LOG_UNAVAILABLE' })
    await first
    await untilWritable(log)
    await log.append([publication('/after')])
    assert.ok(!(await readAll(log)).map(pathOf).includes('/behind'))
  })
}

/** Until the log takes it again. */
export async function retried<T>(store: () => Promise<T>): Promise<T> {
  for (;;)
    try {
      return await store()
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'LOG_UNAVAILABLE')
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
}

async function untilWritable(log: EventLog): Promise<void> {
  while (!log.status.writable) await new Promise((resolve) => setTimeout(resolve, 10))
}

const LARGEST = Buffer.alloc(ENVELOPE_BYTES_MAX - 1, 'xyz')
const HOUR_MS = 3_600_000
const YEAR_MS = 365 * 24 * HOUR_MS

async function readAll(log: EventLog, after = 0 as Position): Promise<PublishedEvent[]> {
  const pages = await Array.fromAsync(log.read(after, { pageBytes: 65_536 }))
  return pages.flatMap((page) => page.events)
}

/** Of the nth event. */
function topicsOf(n: number): string {
  return ['all', n % 3 === 0 ? 'third' : '', n % 400 === 7 ? 'rare' : ''].filter(Boolean).join('/')
}

/** A change of the state. */
function stateOf(key: string) {
  return { space: 's', key, value: Buffer.from(key) }
}

function pathOf(event: PublishedEvent): string {
  return event.path
}
