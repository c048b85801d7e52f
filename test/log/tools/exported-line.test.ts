import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Cursor, Position, PublishedEvent } from '../../../src/hub/event.ts'
import { exportedLine, parseExportedLine } from '../../../src/log/tools/exported-line.ts'
import { ENVELOPE_BYTES_MAX, sealed, tagsOf } from '../../../src/publication/envelope.ts'
import { BrokenLineError } from '../../../src/log/tools/past-event.ts'

function event(changes: Partial<PublishedEvent> = {}): PublishedEvent {
  return {
    topics: ['fruits', 'apples'],
    isPrivate: false,
    path: '/fruits/apples',
    payload: { type: 'json-object', text: '{"n": 1}' },
    position: 7 as Position,
    cursor: '4d870a6f-8ec8-4f25-98ee-bd867ea0b201' as Cursor,
    publishedAtMs: 1_588_132_959_123,
    ...changes,
  }
}

function payload(text: string): Pick<PublishedEvent, 'payload'> {
  return { payload: { type: 'json-object', text } }
}

/** What of an event an export carries over to another store. */
function carriedOver({ position: _position, cursor: _cursor, ...rest }: PublishedEvent) {
  return rest
}

test('an event is one line, as on the stream', () => {
  assert.equal(
    exportedLine(event()),
    '{"n": 1, "pubsub_timestamp": 1588132959.123, "pubsub_topics": ["fruits", "apples"], ' +
      '"pubsub_path": "/fruits/apples", "pubsub_cursor": "4d870a6f-8ec8-4f25-98ee-bd867ea0b201"}\n',
  )
})

test('a private event is marked, and comes back private', () => {
  const line = exportedLine(event({ isPrivate: true, path: '/private/fruits/apples' }))
  assert.match(line, /"pubsub_private": true\}\n$/)
  assert.equal(parseExportedLine(line.trim()).isPrivate, true)
})

test('an event that came as bytes is marked, and comes back as such', () => {
  const data = event({ payload: { type: 'data', text: '{"data":"42"}' } })
  const line = exportedLine(data)
  assert.match(line, /^\{"data":"42", .*"pubsub_data": true\}\n$/)
  assert.deepEqual(parseExportedLine(line.trim()), carriedOver(data))
  for (const text of ['{"data": 42}', '{"other": "42"}', '{}', '{"data":"4","data":"2"}'])
    assert.throws(
      () => parseExportedLine(exportedLine(event({ payload: { type: 'data', text } })).trim()),
      BrokenLineError,
    )
})

test('every event comes back as it was', () => {
  const events = [
    event(payload('{"pubsub_data": true}')),
    event({ payload: { type: 'data', text: '{"data_base64":"/wA="}' }, isPrivate: true }),
    event(payload('{}')),
    event(payload('{"n": 123456789012345678901234567890, "f": 1.0, "e": 1e400}')),
    event(payload('{"b": 1, "a": 2, "a": 3}')),
    event(payload(String.raw`{"\\": 1, "\"": "\ud800 \u00e9", "raw": "é漢😀\u2028"}`)),
    event(payload('{"raw": "é漢😀\u2028\u2029\u0085", "end": 1 }')),
    event(payload('{"pubsub_private": true}')),
    event({ ...payload('{"pubsub_private": false}'), isPrivate: true, path: '/private/x' }),
    event({ isPrivate: true, topics: [], path: '/private' }),
    event({ isPrivate: true, path: 'a path that does not say so' }),
    event({ isPrivate: false, path: '/private/of/another/protocol' }),
    event({ topics: ['ä', 'a,b', '"', '\\', '\n\0', ' '], path: '//ä/a,b/"/\\/\n\0/ /' }),
    event({ publishedAtMs: 1 }),
    event({ envelope: sealed({ door: 'a', bytes: Uint8Array.of(0, 255) }) }),
    event({ envelope: sealed({ door: '"é', bytes: new Uint8Array() }), ...payload('{}') }),
    event({ tags: tagsOf({ '"': '}', a: 'é\n' }) }),
    event({
      envelope: sealed({ door: 'a', bytes: Buffer.from('x') }),
      tags: tagsOf({}),
      isPrivate: true,
      payload: { type: 'data', text: '{"data":"42"}' },
    }),
    event(payload('{"pubsub_envelope": {"door": "a", "base64": ""}, "pubsub_tags": {"a": "b"}}')),
    event({
      ...payload('{"pubsub_envelope": 1, "pubsub_tags": 2}'),
      envelope: sealed({ door: 'a', bytes: Buffer.from('x') }),
      tags: tagsOf({ a: 'b' }),
    }),
    event({ publishedAtMs: 1_588_132_959_000 }),
  ]
  for (const each of events) {
    const line = exportedLine(each)
    assert.equal(line.indexOf('\n'), line.length - 1)
    assert.deepEqual(parseExportedLine(line.trimEnd()), carriedOver(each))
  }
})

test('an envelope or tags that are none make a line no event', () => {
  const line = exportedLine(event()).trimEnd()
  const large = Buffer.alloc(ENVELOPE_BYTES_MAX + 1).toString('base64')
  for (const members of [
    '"pubsub_envelope": null',
    '"pubsub_envelope": {"door": "a"}',
    '"pubsub_envelope": {"door": 1, "base64": ""}',
    `"pubsub_envelope": {"door": "a", "base64": "${large}"}`,
    '"pubsub_tags": []',
    '"pubsub_tags": null',
    '"pubsub_tags": {"a": 1}',
    `"pubsub_tags": {"a": "${'x'.repeat(2_000)}"}`,
  ])
    assert.throws(
      () => parseExportedLine(`${line.slice(0, -1)}, ${members}}`),
      BrokenLineError,
      members.slice(0, 60),
    )
})

test('whatever the event, it comes back as it was', () => {
  const texts = fc.string({ unit: 'grapheme' }).filter((text) => text.isWellFormed())
  const objects = fc.dictionary(texts, fc.jsonValue()).map((value) => JSON.stringify(value))
  fc.assert(
    fc.property(
      objects.filter((text) => !/pubsub_(?:timestamp|topics|path|cursor)/.test(text)),
      fc.array(texts.filter((topic) => topic !== '')),
      texts,
      fc.boolean(),
      fc.integer({ min: 1, max: 8e12 }),
      (text, topics, path, isPrivate, publishedAtMs) => {
        const each = event({ ...payload(text), topics, path, isPrivate, publishedAtMs })
        assert.deepEqual(parseExportedLine(exportedLine(each).trimEnd()), carriedOver(each))
      },
    ),
  )
})

test('whatever white space a payload has, it comes back to the byte', () => {
  const names = fc.oneof(
    fc.string({ unit: 'grapheme' }).filter((text) => text.isWellFormed()),
    fc.constantFrom('pubsub_private', 'pubsub_data', 'data', '}', '{', String.raw`\"`),
  )
  fc.assert(
    fc.property(
      spacedObject(names),
      fc.boolean(),
      fc.constantFrom('/a', '/private/a'),
      (text, isPrivate, path) => {
        const each = event({ ...payload(text), isPrivate, path })
        assert.deepEqual(parseExportedLine(exportedLine(each).trimEnd()), carriedOver(each))
      },
    ),
    {
      examples: ['{ }', '{\t}', '{   }', '{ "a" : { } , "b":[ ] }'].map((text) => [
        text,
        false,
        '/a',
      ]),
    },
  )
})

/** JSON objects with blanks and tabs wherever JSON allows them. */
function spacedObject(names: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const blank = fc.constantFrom('', '', ' ', '\t', '  ')
  const { object } = fc.letrec<{ value: string; object: string }>((tie) => ({
    object: fc
      .tuple(
        blank,
        fc.array(fc.tuple(blank, names, blank, blank, tie('value'), blank), { maxLength: 3 }),
      )
      .map(([inside, members]) => {
        const texts = members.map(
          ([a, name, b, c, value, d]) => `${a}${JSON.stringify(name)}${b}:${c}${value}${d}`,
        )
        return `{${texts.length === 0 ? inside : texts.join(',')}}`
      }),
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom('1', '1.0', '-0', '1e400', '"}"', 'null', '""', String.raw`"\ud800\\\""`),
      tie('object'),
      fc
        .tuple(blank, fc.array(fc.tuple(blank, tie('value'), blank), { maxLength: 3 }))
        .map(
          ([inside, all]) =>
            `[${all.length === 0 ? inside : all.map((each) => each.join('')).join(',')}]`,
        ),
    ),
  }))
  return object
}

test('a line of a stream can be imported, and what was private there stays private', () => {
  const line = exportedLine(event({ isPrivate: true, path: '/private/x' }))
  const ofStream = line.replace(', "pubsub_private": true', '').trimEnd()
  assert.equal(parseExportedLine(ofStream).isPrivate, true)
})

test('a line that another tool has written anew keeps its marker', () => {
  const { isPrivate, payload: rest } = parseExportedLine(
    '{"n":1,"pubsub_cursor":"x","pubsub_path":"/a","pubsub_private":true,"pubsub_timestamp":1,"pubsub_topics":[]}',
  )
  assert.deepEqual([isPrivate, rest.text], [true, '{"n":1}'])
})

test('what is no event is refused, without a word of what it holds', () => {
  const whole = exportedLine(event({ ...payload('{"secret": "secret"}') })).trimEnd()
  const broken = [
    'secret',
    '{"secret": ',
    '["secret"]',
    '{"stillalive": 1588132959.0}',
    whole.slice(0, -1),
    whole.replace('pubsub_topics', 'topics'),
    whole.replace('pubsub_path', 'path'),
    whole.replace('pubsub_timestamp', 'timestamp'),
    whole.replace('1588132959.123', '"secret"'),
    whole.replace('1588132959.123', '1588132959123'),
    whole.replace('"apples"', '""'),
    whole.replace('"apples"', '{"secret": 1}'),
    whole.replace('["fruits", "apples"]', '"secret"'),
    whole.replace('"/fruits/apples"', '["secret"]'),
    whole.replace('"apples"', String.raw`"\ud800secret"`),
  ]
  for (const line of broken)
    assert.throws(
      () => parseExportedLine(line),
      (error) => error instanceof BrokenLineError && !error.message.includes('secret'),
      line,
    )
})
