import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { RawClient } from '../raw-client.ts'
import { eventsUpToNow, listen, put, RECEIVED, sharedPubsub } from '../requests.ts'

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
    [
      'carriage returns behind lines as long as they may be',
      `{"n": 1}${' '.repeat(92)}\r\n{"n": 2}\r\n`,
      [NDJSON],
    ],
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

describe('however its lines look and arrive, a batch is published whole, or its first bad line named', () => {
  /** A line, and what is said of it; `null`: it is an event; undefined: it is blank. */
  type Line = readonly [bytes: Buffer, complaint: RegExp | null | undefined]
  const line = (text: string, complaint: Line[1]): Line => [Buffer.from(text), complaint]
  const OBJECT_BYTES_MAX = 100
  const good = fc.oneof(
    fc.constantFrom('{}', ' {"a": [1, {"b": "}\\n{"}]}\t', '{"é":"\u2028\u0085日😀"}', padded(99)),
    fc.constant(padded(OBJECT_BYTES_MAX)),
  )
  const anyLine: fc.Arbitrary<Line> = fc.oneof(
    { weight: 8, arbitrary: good.map((text) => line(text, null)) },
    {
      weight: 2,
      arbitrary: fc.constantFrom('', ' ', '\t \t').map((text) => line(text, undefined)),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        line('{"a":', /payload is not valid JSON/),
        line('{} {}', /payload is not valid JSON/),
        line('{}\r{}', /payload is not valid JSON/),
        line('\0', /payload is not valid JSON/),
        line('[]', /payload is JSON, but not an object/),
        line('null', /payload is JSON, but not an object/),
        [Buffer.from('7b22c3227d', 'hex'), /payload is not valid UTF-8/] as const,
        line(padded(OBJECT_BYTES_MAX + 1), /the payload exceeds the limit of 100 bytes/),
      ),
    },
  )
  const anyBatch = fc.record({
    lines: fc.array(anyLine, { maxLength: 8 }),
    ending: fc.constantFrom('\n', '\r\n'),
    hasLastEnding: fc.boolean(),
    cuts: fc.array(fc.nat(900), { maxLength: 3 }),
  })

  /** What is to be answered: by the first line that is wrong, counted from 1. */
  function complaintAbout(lines: readonly Line[]): RegExp | null {
    const end = lines.findLastIndex(([, complaint]) => complaint !== undefined) + 1
    if (end === 0) return /^the batch has no events/
    for (const [i, [, complaint]] of lines.slice(0, end).entries()) {
      if (i === 5) return /^the batch has more than 5 events/
      if (complaint !== null)
        return new RegExp(`^line ${i + 1}: ${(complaint ?? /it is blank/).source}`)
    }
    return null
  }

  test('as a model says', async () => {
    await using stream = await listen(server(), '/batch')
    await using client = await RawClient.open(server().port)
    const property = async ({ lines, ending, hasLastEnding, cuts }: Batch) => {
      const pieces = lines.flatMap(([bytes], i) =>
        i === lines.length - 1 && !hasLastEnding ? [bytes] : [bytes, Buffer.from(ending)],
      )
      const body = Buffer.concat(pieces)
      const whole = put('/batch', body, [NDJSON])
      for (const [from, to] of pairs([0, ...cuts.toSorted((a, b) => a - b), whole.length])) {
        client.send(whole.subarray(from, to))
        await new Promise((resolve) => setImmediate(resolve))
      }
      const answer = await client.answer()
      const complaint = complaintAbout(lines)
      if (complaint !== null) {
        assert.equal(answer.status, 400)
        assert.match(answer.body, complaint)
      } else assert.equal(answer.status, 202, answer.body)
      // Nothing of a refused one: the next events are those of the marker.
      const expected = complaint === null ? lines.filter((each) => each[1] === null) : []
      assert.equal((await client.ask(put('/batch', '{"marker":1}'))).status, 202)
      const seen = []
      for (;;) {
        const { json } = await stream.event()
        if (json.marker === 1) break
        const { pubsub_timestamp, pubsub_topics, pubsub_path, pubsub_cursor, ...own } = json
        assert.ok(pubsub_timestamp && pubsub_topics && pubsub_path && pubsub_cursor)
        seen.push(own)
      }
      assert.deepEqual(
        seen,
        expected.map(([bytes]) => JSON.parse(bytes.toString())),
      )
    }
    type Batch = Parameters<Parameters<typeof anyBatch.map>[0]>[0]
    await fc.assert(fc.asyncProperty(anyBatch, property), { numRuns: 300 })
  })
})

/** An object of so many bytes. */
function padded(bytes: number): string {
  return `{"t":"${'x'.repeat(bytes - 8)}"}`
}

function pairs(numbers: readonly number[]): (readonly [number, number])[] {
  return numbers.slice(1).map((to, i) => [numbers[i]!, to])
}

test('a packed batch is measured as it comes out', async () => {
  const { status, body } = await ask(gzipSync(' '.repeat(5_000)), NDJSON, 'Content-Encoding: gzip')
  assert.equal(status, 400)
  assert.match(body, /limits.batch_bytes/)
})

test('another media type is one object, whatever it says', async () => {
  assert.equal((await ask('{"n": 1}\n{"n": 2}', 'Content-Type: application/json')).status, 400)
  assert.equal((await ask('{"n": 1}', 'Content-Type: ;;')).status, 202)
})

test('the topics of a batch count for each of its events, as each of them has them', async () => {
  const path = `/${Array.from({ length: 56 }, (_, n) => n).join('/')}`
  await using client = await RawClient.open(server().port)
  const two = await client.ask(put(path, '{}\n{}', [NDJSON]))
  assert.equal(two.status, 202)
  const three = await client.ask(put(path, '{}\n{}\n{}', [NDJSON]))
  assert.equal(three.status, 400)
  assert.match(
    three.body,
    /3 events .*more than the 4096 of a batch .*limits.batch_bytes.*send 2 at/,
  )
})

test('a single event has as many topics as limits.topics says, on a line or alone', async () => {
  const path = `/${Array.from({ length: 4_096 }, (_, n) => n).join('/')}`
  await using client = await RawClient.open(server().port)
  for (const headers of [[], [NDJSON]])
    assert.equal((await client.ask(put(path, '{}', headers))).status, 202)
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

describe('what is no JSON because it is something else is refused by its type, with what to send', () => {
  const record = '\u001e{"n": 1}\n'
  const cases: readonly [type: string, body: string][] = [
    ['application/x-www-form-urlencoded', 'payload=%7B%22n%22%3A+1%7D'],
    ['Application/X-WWW-Form-Urlencoded; charset=utf-8', 'a=1&b=2'],
    ['application/x-www-form-urlencoded', 'text=hello world'],
    ['application/x-www-form-urlencoded', 'commits[0][id]=7&ref=main'],
    ['application/x-www-form-urlencoded', 'ping&n=1'],
    ['application/x-www-form-urlencoded', '%7B%22n%22%3A1%7D'], // as curl --data-urlencode sends it
    ['multipart/form-data; boundary=x', '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1'],
    ['application/json-seq', record + record],
    ['application/geo+json-seq', record],
    ['application/x-jsonlines', '{"n": 1}\n{"n": 2}\n'],
    ['application/jsonlines', '{"n": 1}\n{"n": 2}\n'],
    ['application/x-json-stream', '{"n": 1}\n{"n": 2}\n'],
    ['application/x-ldjson', '{"n": 1}\n{"n": 2}\n'],
    ['application/yaml', 'n: 1\n'],
    ['application/xml', '<n>1</n>'],
    ['application/msgpack', '\x81'],
    ['text/csv', 'n\n1\n'],
  ]
  for (const [type, body] of cases)
    test(type, async () => {
      const answer = await ask(body, `Content-Type: ${type}`)
      assert.equal(answer.status, 400)
      const name = type.split(';')[0]!.toLowerCase()
      assert.ok(answer.body.startsWith(`the body is no JSON but ${name}, `), answer.body)
      assert.match(
        answer.body,
        /send one JSON object as application\/json .*application\/x-ndjson\n$/,
      )
      const problem = await ask(body, `Content-Type: ${type}`, 'Accept: application/problem+json')
      assert.equal(JSON.parse(problem.body).code, 'UNKNOWN_TYPE')
    })
})

describe("what is broken JSON, or says nothing of its type, is refused in PyPubSub's words", () => {
  const cases: readonly [type: string, body: string][] = [
    ['application/x-www-form-urlencoded', '{"a": "b=c",}'], // as curl -d sends it
    ['application/x-www-form-urlencoded', 'hello'],
    ['application/x-www-form-urlencoded', '"a"="b"'],
    ['application/x-www-form-urlencoded', '[1, "a=b"'],
    ['application/x-www-form-urlencoded', '{%22n%22=1}'],
    ['application/x-www-form-urlencoded', ''],
    ['application/json', '{"n": 1}\n{"n": 2}\n'],
    ['application/vnd.github+json; charset=utf-8', 'payload=1'],
    ['text/plain', 'a=1'],
    ['application/octet-stream', 'a=1'],
    [';;', 'a=1'],
    ['\u009b31m/x', 'a=1'],
    ['', 'a=1'],
  ]
  for (const [type, body] of cases)
    test(`${JSON.stringify(type)}: ${body}`, async () => {
      const answer = await ask(body, `Content-Type: ${type}`)
      assert.equal(answer.status, 400)
      assert.match(answer.body, /^I could not understand your request, sorry!/)
    })
})

test('an object is published whatever its type says', async () => {
  for (const type of ['application/x-www-form-urlencoded', 'application/x-jsonlines', 'text/csv'])
    assert.equal((await ask('{"a=b": 1}', `Content-Type: ${type}`)).status, 202)
})
