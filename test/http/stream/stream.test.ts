import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { DEADLINE_MS } from '../../deadline.ts'
import { TemporaryFiles } from '../../config/temporary-files.ts'
import type { RunningServer } from '../../running-server.ts'
import { RawClient } from '../raw-client.ts'
import {
  basic,
  eventsUpToNow,
  get,
  listen,
  publish,
  put,
  request,
  sharedPubsub,
  startPubsub,
  streamsLeft,
} from '../requests.ts'
import { tlsSection } from '../tls-section.ts'

const USERS = {
  alice: { password: 'wonderland', acl: { fruit: ['fruits'], mail: ['mail', 'inbox'] } },
  root: { password: 'toor', acl: { everything: [] } },
}
const ALICE = basic('alice', 'wonderland')
const ROOT = basic('root', 'toor')

const server = sharedPubsub(
  {
    server: { backlog: { size: 20 } },
    clients: { oldschoolers: ['svnwcsub', 'Old School'] },
  },
  USERS,
)

/** What was published as `{"n": …}`. */
async function numbersUpToNow(on: RunningServer, ...streams: readonly RawClient[]) {
  return (await eventsUpToNow(on, ...streams)).map((events) => events.map(({ n }) => n))
}

/** With nothing kept, and no list where a list could be. */
const limited = sharedPubsub({
  limits: { streams_per_address: 2 },
  clients: { trust_proxy: ['127.0.0.1'], oldschoolers: null },
})

/** Whose log takes its time. */
const files = new TemporaryFiles()
after(() => files[Symbol.dispose]())
const onDisk = sharedPubsub({
  server: { tls: tlsSection(), backlog: { size: 20, storage: join(files.directory, 'events') } },
})

/** Whose users are changed by each test, and whose backlog holds everything. */
const changing = sharedPubsub({ server: { backlog: { size: 10_000 } } }, USERS)

describe('form', () => {
  test('the head is that of an endless answer in chunks', async () => {
    await using stream = await listen(server())
    const { statusLine, headers } = stream.streamHead
    assert.equal(statusLine, 'HTTP/1.1 200 OK')
    assert.equal(headers['content-type'], 'application/vnd.pypubsub-stream')
    assert.equal(headers['transfer-encoding'], 'chunked')
    assert.ok(Date.parse(headers['date'] ?? '') > 0)
    for (const name of ['content-length', 'content-encoding', 'connection'])
      assert.equal(headers[name], undefined)
  })

  for (const query of ['until=0s', 'count=1&since=all', 'timeout=1ms'])
    test(`whoever asks for ?${query} is told that the connection ends with the answer, and asks on another one`, async () => {
      const { url } = server()
      await publish(server(), '/finite', { n: 1 })
      // Node's `fetch` would take the connection for the next request otherwise, and find it closed at times.
      for (let n = 0; n < 50; n++) {
        const answer = await fetch(`${url}/finite?${query}`)
        if (answer.status === 200) assert.equal(answer.headers.get('connection'), 'close')
        await answer.text()
      }
    })

  for (const header of ['Accept: */*', 'Accept: application/json', 'Accept: ', 'Accept: ;;'])
    test(`"${header}" changes nothing, and nothing is compressed`, async () => {
      await using stream = await listen(server(), '/', header, 'Accept-Encoding: gzip, br')
      assert.equal(stream.streamHead.headers['content-type'], 'application/vnd.pypubsub-stream')
      assert.equal(stream.streamHead.headers['content-encoding'], undefined)
    })

  test('events that were published at once come one line per chunk', async () => {
    await using stream = await listen(server(), '/burst')
    await using publisher = await RawClient.open(server().port)
    publisher.send(
      Buffer.concat(Array.from({ length: 300 }, (_, n) => put('/burst', `{"n": ${n}}`))),
    )
    for (let n = 0; n < 300; n++) assert.equal((await stream.event()).json.n, n)
  })

  test('everything outside ASCII is escaped, in the payload, the topics and the path', async () => {
    await using stream = await listen(server(), '/caf%C3%A9')
    const text = 'é€😀\u007f\u0080\u2028\ufeff'
    await publish(server(), '/caf%C3%A9/%F0%9F%98%80', { [text]: text })
    const { json } = await stream.event()
    assert.equal(json[text], text)
    assert.deepEqual(json.pubsub_topics, ['café', '😀'])
    assert.equal(json.pubsub_path, '/café/😀')
  })

  test('an event of 100 KB comes whole', async () => {
    await using stream = await listen(server(), '/large')
    const text = 'ä'.repeat(50_000)
    await publish(server(), '/large', { text })
    assert.equal((await stream.event()).json.text, text)
  })

  test('a member named stillalive is ordinary data', async () => {
    await using stream = await listen(server(), '/alive')
    await publish(server(), '/alive', { stillalive: 1 })
    assert.equal((await stream.event()).json.stillalive, 1)
  })

  test('an old-school client gets a NUL after every newline', async () => {
    for (const userAgent of ['svnwcsub/1.0', 'x Old Schooler']) {
      await using stream = await RawClient.open(server().port)
      stream.send(get('/old', `User-Agent: ${userAgent}`))
      await stream.head()
      assert.match((await stream.line()).text, /^\{"stillalive": .*\}\n\0$/)
      await publish(server(), '/old', { n: 1 })
      assert.match((await stream.line()).text, /^\{"n": ?1, .*\}\n\0$/)
    }
  })

  test('who is merely similar to an old-school client gets none', async () => {
    for (const userAgent of ['SVNWCSUB', 'old school', '']) {
      await using stream = await RawClient.open(server().port)
      stream.send(get('/', `User-Agent: ${userAgent}`))
      await stream.head()
      assert.match((await stream.line()).text, /\n$/)
    }
  })

  test('where the list of old-school clients is null, nobody is one', async () => {
    await using stream = await RawClient.open(limited().port)
    stream.send(get('/', 'User-Agent: svnwcsub'))
    await stream.head()
    assert.match((await stream.line()).text, /\n$/)
  })

  test('HTTP/1.0 gets plain lines until the end', async () => {
    await using stream = await RawClient.open(server().port)
    stream.send('GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    const { statusLine, headers } = await stream.head()
    assert.match(statusLine, /^HTTP\/1\.[01] 200 OK$/)
    assert.deepEqual([headers['transfer-encoding'], headers['connection']], [undefined, 'close'])
    assert.ok((await stream.plainLine()).isControl)
    await publish(server(), '/old', { n: 1 })
    assert.equal((await stream.plainLine()).json.n, 1)
  })
})

describe('what is seen', () => {
  const subscriptions: readonly [string, readonly string[]][] = [
    ['/', ['/fruits/apples', '/fruits', '/', '/nuts', '/Fruits']],
    ['/fruits', ['/fruits/apples', '/fruits']],
    ['/apples/fruits', ['/fruits/apples']],
    ['/fruits/fruits', ['/fruits/apples', '/fruits']],
    ['/fruits,nuts', ['/fruits/apples', '/fruits', '/nuts']],
    ['/apples,fruits', ['/fruits/apples', '/fruits']],
    ['/nuts,', ['/fruits/apples', '/fruits', '/', '/nuts', '/Fruits']],
    ['/apples/nuts', []],
    ['/%66ruits%2Fapples', ['/fruits/apples']],
    ['/fruits%2Cnuts?x,y#z', ['/fruits/apples', '/fruits', '/nuts']],
    ['//fruits//apples/', ['/fruits/apples']],
    ['/ nuts', []],
    ['http://a.example/nuts', ['/nuts']],
  ]
  for (const [path, expected] of subscriptions)
    test(`${path}: ${expected.join(' ')}`, async () => {
      await using stream = await RawClient.open(server().port)
      stream.send(`GET ${path.replace(' ', '%20')} HTTP/1.1\r\n\r\n`)
      await stream.head()
      await using end = await listen(server(), '/marker')
      for (const target of ['/fruits/apples', '/fruits', '/', '/nuts', '/Fruits'])
        await publish(server(), target, {})
      // Every subscription of the table would see this one.
      await publish(server(), '/fruits/apples/nuts/%20nuts', { last: true })
      await eventsUpToNow(server(), end)
      const seen = []
      for (;;) {
        const { json } = await stream.event()
        if (json.last === true) break
        seen.push(json.pubsub_path)
      }
      assert.deepEqual(seen, expected)
    })

  test('there is no stream at paths of our own', async () => {
    await using client = await RawClient.open(server().port)
    for (const path of ['/-/health', '/-/x', '/%2d/a,b'])
      assert.equal((await client.ask(get(path))).status, 404)
  })
})

describe('private events', () => {
  test('are hidden from anonymous', async () => assert.deepEqual(await seenBy('/'), [3, 5, 7]))

  test('are shown where all topics of a segment are on them', async () =>
    assert.deepEqual(await seenBy('/', ALICE), [1, 3, 4, 5, 6, 7]))

  test('are all shown to a segment without topics', async () =>
    assert.deepEqual(await seenBy('/', ROOT), [1, 2, 3, 4, 5, 6, 7]))

  test('are shown only where the subscription matches, too', async () =>
    assert.deepEqual(await seenBy('/mail', ALICE), [3, 4, 6, 7]))

  test('are alone in a subscription to private', async () =>
    assert.deepEqual(await seenBy('/private/mail', ROOT), [2, 4, 6]))

  test('are asked for by each comma group by itself', async () =>
    assert.deepEqual(await seenBy('/private/fruits,mail', ALICE), [1, 3, 4, 6]))

  test('never appear on an anonymous subscription to private, which stays open', async () => {
    await using stream = await listen(server(), '/private/fruits,marker')
    await publish(server(), '/private/fruits', { n: 1 })
    assert.deepEqual(await numbersUpToNow(server(), stream), [[]])
  })
})

describe('replay', () => {
  test('by time: what was published then and later, byte by byte the same, before the first sign of life', async () => {
    const live = await history('by-time')
    for (let i = 0; i < 4; i++) {
      const since = live[i]!.json.pubsub_timestamp
      const lines = await replayed('/by-time', `X-Fetch-Since: ${since}`)
      assert.deepEqual(
        lines.map(({ text }) => text),
        live.slice(i).map(({ text }) => text),
      )
    }
    const behind = live[1]!.json.pubsub_timestamp + 0.0001
    assert.equal((await replayed('/by-time', `X-Fetch-Since: ${behind}`)).length, 2)
  })

  test('by time: what is no number is 0, and what is empty or to come replays nothing', async () => {
    await history('odd-times')
    const counts: readonly [string, number][] = [
      ['0', 4],
      ['-1', 4],
      ['yesterday', 4],
      ['NaN', 4],
      ['1e400', 4],
      ['', 0],
      ['99999999999', 0],
    ]
    for (const [since, count] of counts)
      assert.equal((await replayed('/odd-times', `X-Fetch-Since: ${since}`)).length, count, since)
    assert.equal((await replayed('/odd-times')).length, 0)
  })

  test('by cursor: what came after that event', async () => {
    const live = await history('by-cursor')
    for (let i = 0; i < 4; i++) {
      const lines = await replayed(
        '/by-cursor',
        `X-Fetch-Since-Cursor: ${live[i]!.json.pubsub_cursor}`,
      )
      assert.deepEqual(
        lines.map(({ text }) => text),
        live.slice(i + 1).map(({ text }) => text),
      )
    }
  })

  test('the cursor that the publisher was told serves as well', async () => {
    const { headers } = await publish(server(), '/told', { n: 1 })
    await publish(server(), '/told', { n: 2 })
    const lines = await replayed('/told', `X-Fetch-Since-Cursor: ${headers['x-pubsub-cursor']}`)
    assert.deepEqual(
      lines.map(({ json }) => json.n),
      [2],
    )
  })

  test('a cursor that is not ours replays nothing, and is no gap', async () => {
    await history('foreign')
    const foreign = '0b8b7b1c-4a3d-4c5e-8f60-718293a4b5c6'
    for (const cursor of [foreign, 'x', 'x'.repeat(36), '\xff'.repeat(36), ''])
      assert.deepEqual(await replayed('/foreign', `X-Fetch-Since-Cursor: ${cursor}`), [])
  })

  test('of both headers a cursor that is known decides, else the time', async () => {
    const live = await history('both')
    const cursor = `X-Fetch-Since-Cursor: ${live[2]!.json.pubsub_cursor}`
    assert.equal((await replayed('/both', 'X-Fetch-Since: 0', cursor)).length, 1)
    const unknown = 'X-Fetch-Since-Cursor: 0b8b7b1c-4a3d-4c5e-8f60-718293a4b5c6'
    assert.equal((await replayed('/both', 'X-Fetch-Since: 0', unknown)).length, 4)
  })

  test('it keeps to the subscription and the rights of the stream', async () => {
    await publish(server(), '/private/fruits/kept', { n: 1 })
    await publish(server(), '/private/mail/kept', { n: 2 })
    await publish(server(), '/kept', { n: 3 })
    await publish(server(), '/other', { n: 4 })
    assert.deepEqual(await replayedNumbers('/kept'), [3])
    assert.deepEqual(await replayedNumbers('/kept', ALICE), [1, 3])
    assert.deepEqual(await replayedNumbers('/kept', ROOT), [1, 2, 3])
    assert.deepEqual(await replayedNumbers('/kept', basic('alice', 'wrong')), [3])
  })

  test('what was refused is not kept', async () => {
    await using client = await RawClient.open(server().port)
    await client.ask(put('/refused', '[]'))
    await client.ask(put('/refused', '{'))
    assert.deepEqual(await replayed('/refused', 'X-Fetch-Since: 0'), [])
  })

  test('after an event that is no longer kept there is none', async () => {
    const live = await history('dropped')
    for (let n = 0; n < 20; n++) await publish(server(), '/dropped', { n })
    const cursor = `X-Fetch-Since-Cursor: ${live[0]!.json.pubsub_cursor}`
    assert.deepEqual(await replayed('/dropped', cursor), [])
    const [gap, ...more] = await replayed(`/dropped?cursor=${live[0]!.json.pubsub_cursor}`)
    assert.deepEqual(more, [])
    assert.deepEqual(Object.keys(gap!.json), ['stillalive', 'gap'])
    assert.equal(gap!.json.gap.reason, 'expired')
    const all = await replayed('/dropped', 'X-Fetch-Since: 0', cursor)
    assert.equal(all.filter(({ isControl }) => !isControl).length, 20, 'the time decides')
    // Where the stream goes on after the gap can be asked for, too.
    const resumed = await listen(server(), '/', `X-Fetch-Since-Cursor: ${gap!.json.gap.resumes_at}`)
    await resumed[Symbol.asyncDispose]()
  })

  test('no event between replay and live is lost or comes twice', async () => {
    await using publisher = await RawClient.open(changing().port)
    const COUNT = 2_000
    const bytes = Array.from({ length: COUNT }, (_, n) => put('/seam', `{"n": ${n}}`))
    publisher.send(Buffer.concat(bytes.slice(0, COUNT / 2)))
    await publisher.answer()
    const streams = []
    for (let i = 0; i < 20; i++) {
      const stream = await RawClient.open(changing().port)
      streams.push(stream)
      stream.send(get('/seam', 'X-Fetch-Since: 0'))
      publisher.send(Buffer.concat(bytes.slice(COUNT / 2 + i * 50, COUNT / 2 + (i + 1) * 50)))
      await publisher.answer()
    }
    for (const stream of streams) {
      assert.equal((await stream.head()).status, 200)
      for (let n = 0; n < COUNT; n++) assert.equal((await stream.event()).json.n, n)
      await stream[Symbol.asyncDispose]()
    }
  })

  test('without a backlog there is none', async () => {
    const { headers } = await publish(limited(), '/a', { n: 1 })
    await publish(limited(), '/a', { n: 2 })
    await using byTime = await listen(limited(), '/', 'X-Fetch-Since: 0')
    await using byCursor = await RawClient.open(limited().port)
    byCursor.send(get(`/?cursor=${headers['x-pubsub-cursor']}`))
    await byCursor.head()
    assert.equal((await byCursor.line()).json.gap.reason, 'expired')
    assert.deepEqual(await numbersUpToNow(limited(), byTime, byCursor), [[], []])
  })

  test('what is older than max_age is not replayed, whether by time or by cursor', async () => {
    await using forgetful = await startPubsub({ server: { backlog: { size: 10, max_age: 0.5 } } })
    const { headers } = await publish(forgetful, '/old', { n: 1 })
    const last = await publish(forgetful, '/old', { n: 2 })
    const firstLine = async (...more: readonly string[]) => {
      await using stream = await RawClient.open(forgetful.port)
      stream.send(get('/old?on_gap=live', ...more))
      await stream.head()
      return await stream.line()
    }
    const since = 'X-Fetch-Since: 0'
    const cursor = `X-Fetch-Since-Cursor: ${headers['x-pubsub-cursor']}`
    assert.equal((await firstLine(since)).json.n, 1)
    assert.equal((await firstLine(cursor)).json.n, 2)
    const deadlineMs = performance.now() + DEADLINE_MS
    while (!(await firstLine(since)).isControl) assert.ok(performance.now() < deadlineMs)
    assert.equal((await firstLine(cursor)).json.gap.reason, 'expired')
    const newest = `X-Fetch-Since-Cursor: ${last.headers['x-pubsub-cursor']}`
    assert.deepEqual(Object.keys((await firstLine(newest)).json), ['stillalive'])
  })
})

describe('what we add to the lines of PyPubSub', () => {
  const NOT_ASKED = [
    ['/private/fruits'],
    ['/private/fruits', 'Accept: */*'],
    ['/private/fruits', 'User-Agent: svnwcsub'],
    ['/private/fruits', 'X-Fetch-Since: 99999999999'],
    ['/private/fruits?', 'Last-Event-ID: '],
    ['/private/fruits?x=1&Cursor=2'],
    ['/private/fruits?cursor=&since=&where='],
  ] as const
  const ASKED = [
    ['/private/fruits?since=1ms'],
    ['/private/fruits?on_gap=live'],
    ['/private/fruits?count=9'],
    ['/private/fruits?without=mail'],
    ['/private/fruits?where=true'],
    ['/private/fruits?on_gap=live', 'User-Agent: svnwcsub'],
    ['/private/fruits?%63ursor=x&x=y'],
    ['/private/fruits?until=2999-01-01T00:00:00Z', 'Accept: application/vnd.pypubsub-stream'],
  ] as const

  test('a farewell goes only to who has used a query parameter or header of ours; to others the connection ends without it', async () => {
    const config = { clients: { oldschoolers: ['svnwcsub'] } }
    await using own = await startPubsub(config, USERS)
    await using streams = new AsyncDisposableStack()
    const open = (target: string, ...headers: readonly string[]) =>
      listen(own, target, ALICE, ...headers).then((client) => streams.use(client))
    const quiet = await Promise.all(
      NOT_ASKED.map(([target, ...headers]) => open(target, ...headers)),
    )
    const told = await Promise.all(ASKED.map(([target, ...headers]) => open(target, ...headers)))
    await publish(own, '/private/fruits', { n: 1 })
    for (const [i, stream] of [...quiet, ...told].entries())
      assert.equal((await stream.event()).json.n, 1, String([...NOT_ASKED, ...ASKED][i]))
    await reload(own, {})
    for (const stream of told) assert.equal((await stream.line()).json.closing.reason, 'revoked')
    for (const [i, stream] of quiet.entries())
      assert.equal(await stream.rest(), '', String(NOT_ASKED[i]))
    for (const stream of told) assert.equal(await stream.rest(), '')
  })

  test('a gap goes only to them, too', async () => {
    const { headers } = await publish(limited(), '/a', { n: 1 })
    await publish(limited(), '/a', { n: 2 })
    const cursor = headers['x-pubsub-cursor']
    const firstMembers = async (target: string, ...more: readonly string[]) => {
      await using stream = await RawClient.open(limited().port)
      stream.send(get(target, ...more))
      await stream.head()
      return Object.keys((await stream.line()).json)
    }
    const header = `X-Fetch-Since-Cursor: ${cursor}`
    for (const target of ['/a', '/a?', '/a?x=1', '/a?cursor=', '/a#?cursor=x'])
      for (const more of [[header], [header, 'X-Fetch-Since: 0']])
        assert.deepEqual(await firstMembers(target, ...more), ['stillalive'], target)
    for (const [target, ...more] of [
      [`/a?cursor=${cursor}`],
      [`/a?x=1&cursor=${cursor}`, 'User-Agent: curl/8'],
      ['/a?on_gap=live', header],
      ['/a?without=b', header],
      ['/a', `Last-Event-ID: ${cursor}`],
    ] as const)
      assert.deepEqual(await firstMembers(target, ...more), ['stillalive', 'gap'], target)
  })
})

describe('limits.streams_per_address', () => {
  test('a stream too many is refused with 429 until another one of the address has gone', async () => {
    await using client = await RawClient.open(limited().port)
    await using _first = await listen(limited())
    {
      await using _second = await listen(limited())
      const { status, headers, body } = await client.ask(get('/'))
      assert.equal(status, 429)
      assert.match(headers['retry-after'] ?? '', /^\d+$/)
      assert.match(
        body,
        /you have 2 streams open; 1 more would exceed limits\.streams_per_address, which is 2 for/,
      )
      await using _other = await listen(limited(), '/', 'X-Forwarded-For: 192.0.2.1')
      assert.equal((await client.ask(put('/a', '{}'))).status, 202, 'publishers are not counted')
    }
    await streamsLeft(limited(), 1)
    await using _again = await listen(limited())
    assert.equal((await client.ask(get('/'))).status, 429)
  })

  test('a refused stream that vanishes leaves no trace in the count', async () => {
    await using _first = await listen(limited(), '/', 'X-Forwarded-For: 192.0.2.7')
    await using _second = await listen(limited(), '/', 'X-Forwarded-For: 192.0.2.7')
    for (let i = 0; i < 5; i++) {
      await using client = await RawClient.open(limited().port)
      assert.equal((await client.ask(get('/', 'X-Forwarded-For: 192.0.2.7'))).status, 429)
    }
    const { streamHead } = await listen(limited(), '/', 'X-Forwarded-For: 192.0.2.8')
    assert.equal(streamHead.status, 200)
  })
})

describe('a reload judges open streams again', () => {
  test('rights withdrawn end at once, and public events go on without a gap', async () => {
    const own = changing()
    await reload(own, USERS)
    await using alice = await listen(own, '/', ALICE)
    await using root = await listen(own, '/', ROOT)
    await publish(own, '/private/fruits', { n: 1 })
    await publish(own, '/fruits', { n: 2 })
    await reload(own, { ...USERS, alice: { password: 'wonderland', acl: { mail: ['mail'] } } })
    await publish(own, '/private/fruits', { n: 3 })
    await publish(own, '/private/mail', { n: 4 })
    await publish(own, '/fruits', { n: 5 })
    await reload(own, { root: USERS.root })
    await publish(own, '/private/mail', { n: 6 })
    await publish(own, '/fruits', { n: 7 })
    await reload(own, USERS)
    await publish(own, '/private/fruits', { n: 8 })
    assert.deepEqual(await numbersUpToNow(own, alice, root), [
      [1, 2, 4, 5, 7], // not 8: who was gone has to log in again
      [1, 2, 3, 4, 5, 6, 7, 8],
    ])
  })

  test('rights granted begin at once', async () => {
    const own = changing()
    await reload(own, { bob: { password: 'builder' } })
    await using bob = await listen(own, '/', basic('bob', 'builder'))
    await publish(own, '/private/fruits', { n: 1 })
    await reload(own, { bob: { password: 'builder', acl: { fruit: ['fruits'] } } })
    await publish(own, '/private/fruits', { n: 2 })
    assert.deepEqual(await numbersUpToNow(own, bob), [[2]])
  })

  test('a changed password is a login that no longer holds', async () => {
    const own = changing()
    await reload(own, USERS)
    await using alice = await listen(own, '/', ALICE)
    await reload(own, { alice: { ...USERS.alice, password: 'new' } })
    await using again = await listen(own, '/', basic('alice', 'new'))
    await publish(own, '/private/fruits', { n: 1 })
    await publish(own, '/fruits', { n: 2 })
    assert.deepEqual(await numbersUpToNow(own, alice, again), [[2], [1, 2]])
  })

  test('a stream that has nothing left to see is told so and closed, without the last chunk', async () => {
    const own = changing()
    await reload(own, USERS)
    await using closing = await listen(own, '/private/fruits,private/mail?since=1ms', ALICE)
    await using open = await listen(own, '/private/fruits,marker', ALICE)
    await using other = await listen(own, '/private/fruits', ROOT)
    await publish(own, '/private/fruits', { n: 1 })
    await reload(own, { root: USERS.root })
    assert.equal((await closing.event()).json.n, 1)
    const { json } = await closing.line()
    assert.deepEqual(Object.keys(json), ['stillalive', 'closing'])
    assert.deepEqual(Object.keys(json.closing), ['reason', 'cursor', 'retry_after_ms'])
    assert.equal(json.closing.reason, 'revoked')
    await closing.closed()
    await publish(own, '/private/fruits', { n: 2 })
    assert.deepEqual(await numbersUpToNow(own, open), [[1]])
    assert.equal((await other.event()).json.n, 1)
    assert.equal((await other.event()).json.n, 2)
    await streamsLeft(own, 2)
  })
})

describe('the end of a stream', () => {
  test('a client that half-closes has gone', async () => {
    await using stream = await listen(server())
    stream.finishSending()
    await stream.closed()
  })

  for (const isTls of [false, true])
    test(`so has one that does so while the log is asked${isTls ? ', through TLS' : ''}`, async () => {
      const { port, tlsPort } = onDisk()
      const halfClose = async () => {
        for (let i = 0; i < 50; i++) {
          await using client = await RawClient.open(isTls ? tlsPort! : port, { tls: isTls })
          client.send(get('/?since=1h'))
          if (i % 3 === 0) await turn()
          client.finishSending()
          await client.rest()
        }
      }
      await Promise.all(Array.from({ length: 10 }, halfClose))
      await streamsLeft(onDisk(), 0)
    })

  test('clients that vanish before their stream begins, or at once, disturb nobody', async () => {
    await using stream = await listen(server(), '/marker')
    for (let i = 0; i < 20; i++) {
      const client = await RawClient.open(server().port)
      client.send(i % 2 === 0 ? get('/', ALICE) : request('GET', '/', { body: '{' }))
      client.reset()
    }
    assert.deepEqual(await numbersUpToNow(server(), stream), [[]])
    await streamsLeft(server(), 1)
  })
})

/** Publishes some events at a topic of their own, and tells how each looked on a live stream. */
async function history(topic: string) {
  await using live = await listen(server(), `/${topic}`)
  const lines = []
  for (let n = 1; n <= 4; n++) {
    await publish(server(), `/${topic}`, { n })
    const line = await live.event()
    lines.push(line)
    // A time tells an event from the one before only in another millisecond.
    while (Date.now() / 1_000 <= line.json.pubsub_timestamp);
  }
  return lines
}

/** What comes before the first sign of life. */
async function replayed(path: string, ...headers: readonly string[]) {
  await using stream = await RawClient.open(server().port)
  stream.send(get(path, ...headers))
  await stream.head()
  const lines = []
  for (;;) {
    const line = await stream.line()
    if (line.isControl && Object.keys(line.json).length === 1) return lines
    lines.push(line)
  }
}

async function replayedNumbers(path: string, ...headers: readonly string[]) {
  return (await replayed(path, 'X-Fetch-Since: 0', ...headers)).map(({ json }) => json.n)
}

/** Resolves once the server has read these users. */
async function reload(on: RunningServer, users: object) {
  const { length } = on.output()
  writeFileSync(join(on.directory, 'pubsub_acl.yaml'), JSON.stringify(users))
  on.process.kill('SIGUSR2')
  await on.printed(new RegExp(`^[^]{${length}}[^]*again: .*\\n`))
}

/** Numbers of the events of a fixed sequence that such a stream shows. */
async function seenBy(path: string, ...headers: readonly string[]) {
  await using stream = await listen(server(), path, ...headers)
  await using end = await listen(server(), '/marker')
  await publish(server(), '/private/fruits/apples', { n: 1 })
  await publish(server(), '/private/mail', { n: 2 })
  await publish(server(), '/inbox/mail/private', { n: 3 })
  await publish(server(), '/private/inbox/old/mail', { n: 4 })
  await publish(server(), '/fruits', { n: 5 })
  // The last of them is seen by everybody who sees something at all.
  await eventsUpToNow(server(), end)
  await publish(server(), '/private/fruits/mail/inbox', { n: 6 })
  await publish(server(), '/fruits/mail', { n: 7 })
  const seen = []
  const isLast = (n: number) => n === 7 || (n === 6 && path.startsWith('/private'))
  do seen.push((await stream.event()).json.n)
  while (!isLast(seen.at(-1)))
  return seen.filter((n) => n !== undefined)
}
