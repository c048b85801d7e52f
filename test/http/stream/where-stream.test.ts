import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RawClient } from '../raw-client.ts'
import { eventsUpToNow, get, listen, publish, sharedPubsub, startPubsub } from '../requests.ts'

const server = sharedPubsub({
  server: { backlog: { size: 1_000 } },
  limits: { where_length: 60, conditions: 3 },
})

/** The marker of `eventsUpToNow` must come through. */
const filtered = (path: string, where: string) =>
  `${path},marker?where=${encodeURIComponent(`has(event.marker) || ${where}`)}`

/** What a reader of the past gets, up to now. */
async function replayed(target: string): Promise<unknown[]> {
  await using stream = await RawClient.open(server().port)
  stream.send(get(target, 'X-Fetch-Since: 1'))
  assert.equal((await stream.head()).status, 200)
  const [events] = await eventsUpToNow(server(), stream)
  return events!.filter(({ marker }) => marker === undefined)
}

describe('?where=', () => {
  test('live and in replay the same events come: those for which it is true', async () => {
    const target = filtered('/same', 'n in [2, 4]')
    await using live = await listen(server(), target)
    await using all = await listen(server(), '/same,marker')
    for (const payload of [{ n: 1 }, { n: 2 }, { other: 1 }, { n: 'text' }, { n: 3 }, { n: 4 }])
      await publish(server(), '/same', payload)
    const [chosen, everything] = await eventsUpToNow(server(), live, all)
    assert.deepEqual(
      chosen!.map(({ n }) => n),
      [2, 4],
    )
    assert.equal(everything!.length, 6)
    assert.deepEqual(await replayed(target), chosen)
  })

  test('streams with different expressions on the same topics get what is theirs', async () => {
    await using ones = await listen(server(), filtered('/each', 'n == 1'))
    await using twos = await listen(server(), filtered('/each', 'n == 2'))
    await using ones2 = await listen(server(), filtered('/each', 'n == 1'))
    for (const n of [1, 2, 1]) await publish(server(), '/each', { n })
    const numbers = (await eventsUpToNow(server(), ones, twos, ones2)).map((events) =>
      events.map(({ n }) => n),
    )
    assert.deepEqual(numbers, [[1, 1], [2], [1, 1]])
  })

  test('an expression about topics, path and privacy sees what the stream shows', async () => {
    const where = '"b" in pubsub_topics && pubsub_path == "/a/b" && !pubsub_private'
    await using one = await startPubsub({ server: { backlog: { size: 10 } } })
    await using stream = await listen(one, `/a?where=${encodeURIComponent(where)}`)
    await publish(one, '/a/c', { n: 1 })
    await publish(one, '/a/b', { n: 2 })
    assert.equal((await stream.event()).json.n, 2)
  })

  test('it shows nothing that may not be seen', async () => {
    await using stream = await listen(server(), filtered('/secret', 'true'))
    await publish(server(), '/private/secret', { n: 1 })
    const [events] = await eventsUpToNow(server(), stream)
    assert.deepEqual(events, [])
  })

  test('together with ?without= both count', async () => {
    await using stream = await listen(server(), `${filtered('/both', 'n > 1')}&without=old`)
    await publish(server(), '/both/old', { n: 2 })
    await publish(server(), '/both', { n: 1 })
    await publish(server(), '/both', { n: 3 })
    const [events] = await eventsUpToNow(server(), stream)
    assert.deepEqual(
      events!.map(({ n }) => n),
      [3],
    )
  })

  test('a wrong one is a 400 that points at the column', async () => {
    await using client = await RawClient.open(server().port)
    const { status, body } = await client.ask(get(`/a?where=${encodeURIComponent('n == )\r\n')}`))
    assert.equal(status, 400)
    assert.match(body, /^where: unexpected '\)' at column 6: n == >>>\)\\u\{d\}\\u\{a\}; [^\n]+\n$/)
  })

  test('one that is too long is a 400 that names the limit', async () => {
    await using client = await RawClient.open(server().port)
    const { status, body } = await client.ask(get(`/a?where=${'a'.repeat(61)}`))
    assert.equal(status, 400)
    assert.match(body, /where is 61 characters long, the limit is 60 \(limits\.where_length\)/)
  })

  test('more different ones than allowed are a 503, and the same ones are not', async () => {
    await using small = await startPubsub({ limits: { conditions: 3, conditions_per_address: 3 } })
    await using first = await listen(small, '/a?where=a')
    await using second = await listen(small, '/a?where=b&without=c')
    await using again = await listen(small, '/other?where=a')
    void [first, again]
    await using client = await RawClient.open(small.port)
    const { status, body } = await client.ask(get('/a?where=d'))
    assert.equal(status, 503)
    assert.match(
      body,
      /3 different where and without conditions.*limit is 3 \(limits\.conditions\)/,
    )
    void second
  })
})
