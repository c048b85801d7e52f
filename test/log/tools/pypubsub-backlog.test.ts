import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EventLine } from '../../../src/log/tools/event-lines.ts'
import type { PastEvent } from '../../../src/log/tools/past-event.ts'
import { readPypubsubBacklog } from '../../../src/log/tools/pypubsub-backlog.ts'

/** As PyPubSub 0.7.4 wrote it, of seven publications. */
const RECORDED = [
  String.raw`{"timestamp": 1795229269.112756, "topics": ["fruits", "apples"], "json": {"text": "\u00c4pfel \u6f22 \ud83d\ude00", "n": 123456789012345678901234567890, "f": 1.0, "z": 1, "a": 2, "pubsub_timestamp": 1795229269.112756, "pubsub_topics": ["fruits", "apples"], "pubsub_path": "/fruits/apples", "pubsub_cursor": "a9ff0d14-2e74-4d43-8f42-6a768a302738"}, "private": false}`,
  String.raw`{"timestamp": 1795229269.1225867, "topics": ["commit", "x"], "json": {"secret": "\ud800", "esc": "/A\\", "pubsub_timestamp": 1795229269.1225867, "pubsub_topics": ["commit", "x"], "pubsub_path": "/private/commit/x", "pubsub_cursor": "c1d05362-9526-4712-9d91-b1f028c38554"}, "private": true}`,
  String.raw`{"timestamp": 1795229269.1320071, "topics": ["a", "b"], "json": {"pubsub_path": "//a//b/", "nested": {"pubsub_path": 1}, "pubsub_timestamp": 1795229269.1320071, "pubsub_topics": ["a", "b"], "pubsub_cursor": "2b15b570-8d4f-4eec-b931-b6cc372944ca"}, "private": false}`,
  String.raw`{"timestamp": 1795229269.1415763, "topics": [], "json": {"pubsub_timestamp": 1795229269.1415763, "pubsub_topics": [], "pubsub_path": "/", "pubsub_cursor": "9353f59a-9de9-4731-b1f5-50deaed7649c"}, "private": false}`,
  String.raw`{"timestamp": 1795229269.1510525, "topics": [], "json": {"nan": NaN, "pubsub_timestamp": 1795229269.1510525, "pubsub_topics": [], "pubsub_path": "/private", "pubsub_cursor": "d2949138-fe41-44b4-b85c-dd4a6a50a923"}, "private": true}`,
  String.raw`{"timestamp": 1795229269.1603508, "topics": ["private", "y"], "json": {"__proto__": 1, "\\\"": 2, "pubsub_timestamp": 1795229269.1603508, "pubsub_topics": ["private", "y"], "pubsub_path": "/private/private/y", "pubsub_cursor": "ff359334-677f-43c7-ae43-0a66eda7eeea"}, "private": true}`,
  String.raw`{"timestamp": 1795229269.1699932, "topics": ["a", "b,c", " "], "json": {"e": Infinity, "pubsub_timestamp": 1795229269.1699932, "pubsub_topics": ["a", "b,c", " "], "pubsub_path": "/a/b,c/ ", "pubsub_cursor": "e4db480b-102d-41f9-bb6b-4e3a98708bd5"}, "private": false}`,
]

/** A line as PyPubSub writes it, with some of its members in other words. */
function line(members: Readonly<Record<string, string>> = {}): string {
  const all = { timestamp: '1.5', topics: '["a"]', json: '{"n": 1}', private: 'false', ...members }
  return `{${Object.entries(all)
    .map(([name, value]) => `"${name}": ${value}`)
    .join(', ')}}`
}

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

function read(file: string | Buffer, chunkBytes = 65_536): Promise<EventLine[]> {
  return Array.fromAsync(readPypubsubBacklog(inChunks(Buffer.from(file), chunkBytes)))
}

async function readOne(text: string): Promise<PastEvent> {
  const [only, ...more] = await read(text)
  assert.ok(only !== undefined && 'event' in only, JSON.stringify(only))
  assert.deepEqual(more, [])
  return only.event
}

async function problems(file: string | Buffer): Promise<[number, string][]> {
  const lines = await read(file)
  return lines.flatMap((each) => ('problem' in each ? [[each.number, each.problem]] : []))
}

test('a file that PyPubSub wrote is read in the words that stand there', async () => {
  const lines = await read(RECORDED.map((each) => `${each}\n`).join(''))
  const shown = lines.map((each) => {
    if ('problem' in each) return each.problem
    const { topics, isPrivate, path, payload, publishedAtMs } = each.event
    return [topics, isPrivate, path, payload.text, publishedAtMs]
  })
  assert.deepEqual(shown, [
    [
      ['fruits', 'apples'],
      false,
      '/fruits/apples',
      String.raw`{"text": "\u00c4pfel \u6f22 \ud83d\ude00", "n": 123456789012345678901234567890, "f": 1.0, "z": 1, "a": 2}`,
      1795229269113,
    ],
    [
      ['commit', 'x'],
      true,
      '/private/commit/x',
      String.raw`{"secret": "\ud800", "esc": "/A\\"}`,
      1795229269123,
    ],
    [['a', 'b'], false, '//a//b/', '{ "nested": {"pubsub_path": 1}}', 1795229269133],
    [[], false, '/', '{}', 1795229269142],
    'not valid JSON', // PyPubSub accepts NaN and 1e400, and writes what no other parser reads
    [
      ['private', 'y'],
      true,
      '/private/private/y',
      String.raw`{"__proto__": 1, "\\\"": 2}`,
      1795229269161,
    ],
    'not valid JSON',
  ])
})

test('numbers, order, repetitions, escapes and white space of a payload stay', async () => {
  for (const json of [
    '{"n": 123456789012345678901234567890, "f": 1.0, "e": 1E+2, "m": -0}',
    '{"b": 1, "a": 2, "10": 3, "9": 4}',
    '{"a": 1, "a": 2}',
    String.raw`{"\\": 1, "\"": 2, "\\\"": 3, "\u0061": 4}`,
    '{ "a" : [ 1 , { } ] }',
    '{"é": "漢😀", "lone": "\\udc00"}',
    '{"json": {"private": true}, "private": true, "topics": ["x"], "timestamp": 9}',
  ]) {
    const { payload, topics, isPrivate, publishedAtMs } = await readOne(line({ json }))
    assert.equal(payload.text, json)
    assert.deepEqual([topics, isPrivate, publishedAtMs], [['a'], false, 1500])
  }
})

test("the server's members are taken out, however they are spelled", async () => {
  const json = String.raw`{"pubsub_cursor": "x", "a": 1, "pubsub\u005ftopics": [], "pubsub_other": 2, "pubsub_path": "/p"}`
  const { payload, path } = await readOne(line({ json }))
  assert.equal(payload.text, '{ "a": 1, "pubsub_other": 2}')
  assert.equal(path, '/p')
})

test('where no path is given it is made of the topics, as PyPubSub does', async () => {
  const cases: [Readonly<Record<string, string>>, string][] = [
    [{ topics: '["a", "b"]' }, 'a/b'],
    [{ topics: '["a", "b"]', private: 'true' }, '/private/a/b'],
    [{ json: '{"pubsub_path": 7}' }, 'a'],
    [{ json: '{"pubsub_path": "/x", "pubsub_path": "/y"}' }, '/y'],
  ]
  for (const [members, path] of cases) assert.equal((await readOne(line(members))).path, path)
})

test('topics become what PyPubSub would make of them at its next start', async () => {
  const cases: [string, string, readonly string[], boolean][] = [
    ['["a", "a", "ä"]', 'false', ['a', 'a', 'ä'], false],
    ['["a/b", "", "c"]', 'false', ['a', 'b', 'c'], false],
    ['["private", "a"]', 'false', ['a'], true],
    ['["private", "a"]', 'true', ['private', 'a'], true],
    ['[]', 'true', [], true],
  ]
  for (const [json, flag, topics, isPrivate] of cases) {
    const event = await readOne(line({ topics: json, private: flag }))
    assert.deepEqual([event.topics, event.isPrivate], [topics, isPrivate])
  }
})

test('times are rounded up to milliseconds, and only if they have more', async () => {
  const cases: [string, number][] = [
    ['1588132959.123', 1588132959123],
    ['1588132959.123001', 1588132959124],
    ['1588132959', 1588132959000],
  ]
  for (const [timestamp, ms] of cases)
    assert.equal((await readOne(line({ timestamp }))).publishedAtMs, ms)
})

test('a broken line is named, and all others are read', async () => {
  const broken: [string | Buffer, string][] = [
    ['{"timestamp": 1.5, "topics": ["a"], "json": {"n"', 'not valid JSON'],
    [Buffer.alloc(4_096), 'not valid JSON'],
    ['[1]', 'not a JSON object'],
    ['"text"', 'not a JSON object'],
    ['{}', 'no event: it has no json'],
    ['{"json": {}}', 'no event: it has no private'],
    [line().replace('topics', 'topic'), 'no event: it has no topics'],
    [line().replace('timestamp', 'time'), 'no event: it has no timestamp'],
    [line({ json: '[]' }), 'its json is not an object'],
    [line({ json: '"{}"' }), 'its json is not an object'],
    [line({ private: '1' }), 'its private is neither true nor false'],
    [line({ private: 'null' }), 'its private is neither true nor false'],
    [line({ topics: '"a"' }), 'its topics are not a list of texts'],
    [line({ topics: '["a", 1]' }), 'its topics are not a list of texts'],
    [line({ topics: '["\\ud800"]' }), 'its topics are not valid Unicode'],
    [line({ json: '{"pubsub_path": "/\\udc00"}' }), 'its path is not valid Unicode'],
    [line({ timestamp: '"1.5"' }), 'its timestamp is not a time'],
    [line({ timestamp: '0' }), 'its timestamp is not a time'],
    [line({ timestamp: '-1' }), 'its timestamp is not a time'],
    [line({ timestamp: '1e400' }), 'its timestamp is not a time'],
    [line({ timestamp: '1795229269112.7' }), 'its timestamp is not a time'],
    [line({ json: `{"n": NaN}` }), 'not valid JSON'],
    [line({ json: '{"a": '.repeat(6_000) + '1' + '}'.repeat(6_000) }), 'nested deeper than 5001'],
    [Buffer.concat([Buffer.from(line()), Buffer.from([0xff])]), 'not valid UTF-8'],
    [Buffer.from([0xc3]), 'not valid UTF-8'],
  ]
  const file = Buffer.concat(
    broken.flatMap(([text]) => [Buffer.from(text), Buffer.from(`\n${line()}\n`)]),
  )
  assert.deepEqual(
    await problems(file),
    broken.map(([, problem], index) => [2 * index + 1, problem]),
  )
  const events = (await read(file)).filter((each) => 'event' in each)
  assert.equal(events.length, broken.length)
})

test('a line beyond the limit is passed over without being held', async () => {
  const lines = await Array.fromAsync(readPypubsubBacklog(fileWithLongLine()))
  assert.deepEqual(
    lines.map((each) => [each.number, 'problem' in each ? each.problem : null]),
    [
      [1, null],
      [2, 'longer than 83886080 bytes'],
      [3, null],
    ],
  )
})

test('line ends of other systems, a byte order mark and blank lines do no harm', async () => {
  const file = `\ufeff${line({ json: '{"a": 1}' })}\r\n\r\n \t\n${line({ json: '{"b": 2}' })}`
  const lines = await read(file)
  assert.deepEqual(
    lines.map((each) => [each.number, 'event' in each ? each.event.payload.text : each.problem]),
    [
      [1, '{"a": 1}'],
      [4, '{"b": 2}'],
    ],
  )
  assert.equal(lines.at(-1)!.bytesRead, Buffer.byteLength(file))
  assert.deepEqual(await read(''), [])
  assert.deepEqual(await read('\n'), [])
})

test('wherever a read ends, the same lines come out', async () => {
  const file = `${line({ json: '{"é": "漢😀"}' })}\r\n{"torn\n${line()}`
  const whole = await read(file)
  assert.equal(whole.length, 3)
  for (let size = 1; size < 40; size++) assert.deepEqual(await read(file, size), whole)
})

async function* fileWithLongLine(): AsyncGenerator<Buffer> {
  yield Buffer.from(`${line()}\n`)
  const piece = Buffer.alloc(2 ** 20, 0x20)
  for (let mib = 0; mib < 400; mib++) yield piece
  yield Buffer.from(`\n${line()}`)
}
