import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { RawClient } from './raw-client.ts'
import { eventsUpToNow, listen, put, RECEIVED, sharedPubsub } from './requests.ts'

const server = sharedPubsub({
  server: { max_payload_size: 100 },
  limits: { batch_bytes: 4_096, batch_events: 5 },
})

const NDJSON = 'Content-Type: application/x-ndjson'

async function ask(body: string | Uint8Array, ...headers: readonly string[]) {
  await using client = await RawClient.open(server().port)
  return await client.ask(put('/a/b', body, headers))
}

describe('every line of a batch is an event', () => {
  const cases: readonly [string, string | Uint8Array, readonly string[]][] = [
    ['line feeds', '{"n": 1}\n{"n": 2}\n', [NDJSON]],
    ['no line feed at the end', '{"n": 1}\n{"n": 2}', [NDJSON]],
    ['carriage returns', '{"n": 1}\r\n{"n": 2}\r\n', [NDJSON]],
    ['blank lines at the end', '{"n": 1}\n{"n": 2}\n\n \r\n\t\n', [NDJSON]],
    ['as jsonl', '{"n": 1}\n{"n": 2}\n', ['Content-Type: Application/JSONL; charset=utf-8']],
    ['packed', gzipSync('{"n": 1}\n{"n": 2}\n'), [NDJSON, 'Content-Encoding: gzip']],
  ]
  for (const [name, body, headers] of cases)
    test(name, async () => {
      await using stream = await listen(server())
      const answer = await ask(body, ...headers)
      assert.equal(answer.status, 202)
      assert.equal(answer.body, RECEIVED)
      const events = (await eventsUpToNow(server(), stream))[0]!
      assert.deepEqual(
        events.map(({ n, pubsub_topics }) => [n, pubsub_topics]),
        [
          [1, ['a', 'b']],
          [2, ['a', 'b']],
        ],
      )
      assert.equal(answer.headers['x-pubsub-cursor'], events[1].pubsub_cursor)
    })
})

test('the words of each line are kept, its characters outside ASCII too', async () => {
  await using stream = await listen(server())
  await ask('{"n": 1.0, "n": 1e400}\n{"t": "é\u2028日"}', NDJSON)
  assert.ok((await stream.line()).text.startsWith('{"n": 1.0, "n": 1e400, "pubsub_'))
  assert.equal((await stream.event()).json.t, 'é\u2028日')
})

describe('a batch with a bad line is not published, and the line is named', () => {
  const good = '{"n": 1}\n'
  const cases: readonly [string, string | Uint8Array, RegExp][] = [
    ['no JSON', `${good}{"n": \n${good}`, /^line 2: payload is not valid JSON; nothing of the/],
    ['no object', `${good}${good}[1]\n`, /^line 3: payload is JSON, but not an object/],
    ['no UTF-8', Buffer.from(`${good}{"n": "\xe9"}\n`, 'latin1'), /^line 2: .*UTF-8/],
    ['too large', `${good}{"t": "${'x'.repeat(100)}"}`, /^line 2: .*100 bytes \(server.max_payl/],
    ['blank', `${good}\r\n${good}`, /^line 2: it is blank/],
    ['blank at the beginning', `\n${good}`, /^line 1: it is blank/],
    ['byte order mark', `\ufeff${good}`, /^line 1: payload is not valid JSON/],
    ['two objects on a line', `{} {}\n`, /^line 1: payload is not valid JSON/],
    ['no lines', '', /^the batch has no events/],
    ['blank lines only', '\n\r\n \n', /^the batch has no events/],
    ['too many lines', good.repeat(6), /^the batch has more than 5 events.*limits.batch_events/],
    ['too many bytes', `${good}${' '.repeat(4_096)}`, /exceeds the limit of 4096 .*batch_bytes/],
  ]
  for (const [name, body, message] of cases)
    test(name, async () => {
      await using stream = await listen(server())
      const answer = await ask(body, NDJSON)
      assert.equal(answer.status, 400)
      assert.match(answer.body, message)
      assert.deepEqual(await eventsUpToNow(server(), stream), [[]])
    })
})

test('a packed batch is measured as it comes out', async () => {
  const { status, body } = await ask(gzipSync(' '.repeat(5_000)), NDJSON, 'Content-Encoding: gzip')
  assert.equal(status, 400)
  assert.match(body, /limits.batch_bytes/)
})

test('another media type is one object, whatever it says', async () => {
  assert.equal((await ask('{"n": 1}\n{"n": 2}', 'Content-Type: application/json')).status, 400)
  assert.equal((await ask('{"n": 1}', 'Content-Type: ;;')).status, 202)
})

describe('who asks for JSON is told where the events are', () => {
  test('one event', async () => {
    const { headers, body } = await ask('{}', 'Accept: application/json')
    assert.equal(headers['content-type'], 'application/json')
    const { cursor, first_cursor, count, timestamp } = JSON.parse(body)
    assert.equal(cursor, headers['x-pubsub-cursor'])
    assert.equal(first_cursor, cursor)
    assert.equal(count, 1)
    assert.ok(Math.abs(timestamp - Date.now() / 1_000) < 60)
  })

  test('a batch: its first and its last event, and how many they are', async () => {
    await using stream = await listen(server())
    const { body } = await ask('{"n": 1}\n{"n": 2}\n{"n": 3}', NDJSON, 'Accept: application/json')
    const [events] = await eventsUpToNow(server(), stream)
    assert.deepEqual(JSON.parse(body), {
      cursor: events![2].pubsub_cursor,
      first_cursor: events![0].pubsub_cursor,
      count: 3,
      timestamp: events![2].pubsub_timestamp,
    })
  })

  for (const accept of ['*/*', 'text/plain, application/json', 'application/json;q=0', 'text/*'])
    test(`${accept} gets PyPubSub's text`, async () => {
      const { headers, body } = await ask('{}', `Accept: ${accept}`)
      assert.equal(body, RECEIVED)
      assert.equal(headers['content-type'], 'text/plain; charset=utf-8')
    })
})
