import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Closing, Gap } from '../../../src/hub/encoding.ts'
import type { Cursor, Position, PublishedEvent } from '../../../src/hub/event.ts'
import { cloudEventText } from '../../../src/http/stream/cloud-event-text.ts'
import { CHUNKED, UNCHUNKED } from '../../../src/http/stream/framing.ts'
import { PypubsubEncoding } from '../../../src/http/stream/pypubsub-encoding.ts'
import { WebSocketEncoding } from '../../../src/http/stream/websocket-encoding.ts'
import { sealed, tagsOf } from '../../../src/publication/envelope.ts'
import { readJsonObject } from '../../../src/publication/json-object.ts'
import { NdjsonEncoding } from '../../../src/http/stream/ndjson-encoding.ts'
import { SseEncoding } from '../../../src/http/stream/sse-encoding.ts'
import type { StreamEncoding } from '../../../src/http/stream/stream-encoding.ts'

/** What would end a field or a line too early, or be taken off it, between other characters. */
const nasty = fc.constantFrom(
  '\r',
  '\n',
  '\r\n',
  '\0',
  '\u2028',
  '\u2029',
  '\u0085',
  '\ufeff',
  ':',
  ' ',
)
const anyText = fc
  .array(fc.oneof(nasty, fc.string({ unit: 'binary', maxLength: 5 })), { maxLength: 6 })
  .map((parts) => parts.join(''))
const anyCursor = fc.uuid({ version: 4 }).map((cursor) => cursor as Cursor)

/** An object of JSON as somebody may have written it: white space of any kind between the tokens. */
const anyObject = fc
  .tuple(
    // V8 13.6 confuses names in JSON.parse that have backslashes.
    fc.array(
      fc.tuple(
        anyText.map((name) => name.replace(/["\\\p{Cc}\p{Cs}]/gu, 'x')),
        anyText,
      ),
      {
        maxLength: 5,
      },
    ),
    fc.constantFrom('', ' ', '\n', '\r', '\r\n\t'),
  )
  .map(([members, space]) => {
    const texts = members.map(
      ([name, text]) => `${space}"${name}"${space}:${space}${JSON.stringify(text)}${space}`,
    )
    return `${space}{${space}${texts.join(',')}${space}}${space}`
  })

/** What belongs to a door is shown by no form of HTTP. */
const beside = {
  envelope: fc.constant(sealed({ door: 'http', bytes: Buffer.from('secret') })),
  tags: fc.constant(tagsOf({ traceparent: 'secret' })),
}

const anyPlainEvent: fc.Arbitrary<PublishedEvent> = fc.record({
  topics: fc.array(anyText, { maxLength: 4 }),
  isPrivate: fc.boolean(),
  path: anyText,
  payload: anyObject.map((text) => ({
    type: 'json-object' as const,
    text: readJsonObject(Buffer.from(text), 900),
  })),
  position: fc.constant(1 as Position),
  cursor: anyCursor,
  publishedAtMs: fc.nat(4_000_000_000_000),
})

const anyEvent: fc.Arbitrary<PublishedEvent> = fc
  .tuple(anyPlainEvent, fc.record(beside, { requiredKeys: [] }))
  .map(([event, besides]) => ({ ...event, ...besides }))

const anyGap: fc.Arbitrary<Gap> = fc.record({
  reason: fc.constantFrom('expired', 'foreign', 'damaged'),
  cursor: anyCursor,
})
const anyClosing: fc.Arbitrary<Closing> = fc.record({
  reason: fc.constantFrom('slow', 'stalled', 'revoked', 'unavailable', 'shutdown', 'timeout'),
  cursor: anyCursor,
  retryAfterMs: fc.nat(),
})

/** What the published event must have become. */
function shown({ payload, topics, path, cursor, publishedAtMs }: PublishedEvent): unknown {
  const own = {
    pubsub_timestamp: publishedAtMs / 1_000,
    pubsub_topics: topics,
    pubsub_path: path,
    pubsub_cursor: cursor,
  }
  return { ...JSON.parse(payload.text), ...own }
}

interface Dispatched {
  readonly type: string
  readonly data: string
  readonly lastEventId: string
}

function readFrames(...frames: readonly Uint8Array[]) {
  return readEventStream(Buffer.concat(frames))
}

/** Interprets a whole stream as WHATWG HTML §9.2.6 says, word by word. */
function readEventStream(bytes: Uint8Array) {
  const text = new TextDecoder().decode(bytes) // takes one byte order mark off, as §9.2.5 says
  const dispatched: Dispatched[] = []
  let [data, type, idBuffer, lastEventId] = ['', '', '', '']
  let retry: number | undefined
  const lines = text.split(/\r\n|\n|\r/)
  lines.pop() // what is behind the last line break is no line
  for (const line of lines) {
    if (line === '') {
      lastEventId = idBuffer
      if (data !== '')
        dispatched.push({ type: type || 'message', data: data.replace(/\n$/, ''), lastEventId })
      ;[data, type] = ['', '']
      continue
    }
    if (line.startsWith(':')) continue
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') type = value
    else if (field === 'data') data += `${value}\n`
    else if (field === 'id' && !value.includes('\0')) idBuffer = value
    else if (field === 'retry' && /^\d+$/.test(value)) retry = Number(value)
  }
  return { dispatched, lastEventId, retry }
}

describe('server-sent events', () => {
  const sse = new SseEncoding(UNCHUNKED)

  test('whatever an event holds, a browser gets exactly it, under the id of its cursor', () => {
    const property = fc.property(fc.array(anyEvent, { minLength: 1, maxLength: 3 }), (events) => {
      const { dispatched, lastEventId } = readEventStream(
        Buffer.concat(events.map((event) => sse.event(event))),
      )
      assert.deepEqual(
        dispatched.map(({ data, ...rest }) => ({ data: JSON.parse(data), ...rest })),
        events.map((event) => ({
          type: 'message',
          data: shown(event),
          lastEventId: event.cursor,
        })),
      )
      assert.equal(lastEventId, events.at(-1)!.cursor)
    })
    fc.assert(property, { numRuns: 500 })
  })

  test('what is told beside events fires under a name of its own, with data that is JSON, and moves the id on', () => {
    const told = fc.record({
      cursor: anyCursor,
      gap: anyGap,
      closing: anyClosing,
      alive: anyCursor,
    })
    const property = fc.property(told, ({ cursor, gap, closing, alive }) => {
      const opened = readFrames(sse.opened(cursor, 0, closing.retryAfterMs))
      assert.deepEqual(opened.dispatched, [
        { type: 'opened', data: `{"cursor": "${cursor}"}`, lastEventId: cursor },
      ])
      assert.equal(opened.retry, closing.retryAfterMs)
      assert.deepEqual(readFrames(sse.gap(gap)).dispatched.map(named), [['gap', gap.cursor]])
      const farewell = readFrames(
        sse.keepAlive(0, () => alive),
        sse.closing(closing),
      )
      assert.deepEqual(farewell.dispatched.map(named), [
        ['stillalive', alive],
        ['closing', closing.cursor],
      ])
      assert.equal(farewell.retry, closing.retryAfterMs)
      assert.deepEqual(readFrames(sse.keepAlive(1_588_132_959_000, () => alive)), {
        dispatched: [
          { type: 'stillalive', data: '{"stillalive": 1588132959.0}', lastEventId: alive },
        ],
        lastEventId: alive,
        retry: undefined,
      })
      for (const { data } of [...opened.dispatched, ...farewell.dispatched]) JSON.parse(data)
    })
    fc.assert(property)
  })
})

function named({ type, lastEventId }: Dispatched): readonly string[] {
  return [type, lastEventId]
}

describe('lines of JSON', () => {
  const lines = new NdjsonEncoding(UNCHUNKED)

  test('whatever an event holds, it is one line that says exactly it', () => {
    const property = fc.property(anyEvent, (event) => {
      assert.deepEqual(JSON.parse(onlyLine(lines.event(event))), shown(event))
    })
    fc.assert(property, { numRuns: 500 })
  })

  test('whatever an event holds, its CloudEvent is one line', () => {
    const encoding = new NdjsonEncoding(UNCHUNKED, 'application/cloudevents+json', cloudEventText)
    const property = fc.property(anyEvent, (event) => {
      const { data, id } = JSON.parse(onlyLine(encoding.event(event)))
      assert.deepEqual([data, id], [JSON.parse(event.payload.text), event.cursor])
    })
    fc.assert(property, { numRuns: 500 })
  })

  test('what is told beside events is one line each, without a member of an event', () => {
    const property = fc.property(anyCursor, anyGap, anyClosing, (cursor, gap, closing) => {
      for (const frame of [
        lines.opened(cursor, 0),
        lines.keepAlive(0, () => cursor),
        lines.gap(gap, 0),
        lines.closing(closing, 0),
      ]) {
        const members = Object.keys(JSON.parse(onlyLine(frame)))
        assert.equal(members[0], 'stillalive')
        assert.ok(!members.some((name) => name.startsWith('pubsub_')))
      }
    })
    fc.assert(property)
  })
})

test('in chunks each form has the same bytes, with their length before them', () => {
  const forms: readonly (readonly [StreamEncoding, StreamEncoding])[] = [
    [new SseEncoding(CHUNKED), new SseEncoding(UNCHUNKED)],
    [new NdjsonEncoding(CHUNKED), new NdjsonEncoding(UNCHUNKED)],
  ]
  const property = fc.property(anyEvent, (event) => {
    for (const [chunked, plain] of forms) {
      const bytes = Buffer.from(plain.event(event))
      const size = `${bytes.length.toString(16)}\r\n`
      assert.deepEqual(
        Buffer.from(chunked.event(event)),
        Buffer.concat([Buffer.from(size), bytes, Buffer.from('\r\n')]),
      )
    }
  })
  fc.assert(property)
})

test('whatever an event holds, no form has a line end in it for readers that know those of Unicode', () => {
  const forms: readonly (readonly [form: StreamEncoding, linesOfAnEvent: number])[] = [
    [new SseEncoding(UNCHUNKED), 3], // id, data and the blank one
    [new NdjsonEncoding(UNCHUNKED), 1],
    [new NdjsonEncoding(UNCHUNKED, 'application/cloudevents+json', cloudEventText), 1],
    [new PypubsubEncoding(UNCHUNKED, { isOldSchool: false, hasAdditions: false }), 1],
    [new WebSocketEncoding(), 1],
  ]
  const property = fc.property(anyEvent, (event) => {
    for (const [form, count] of forms) {
      const frame = Buffer.from(form.event(event))
      const text = frame.subarray(form instanceof WebSocketEncoding ? headerBytes(frame) : 0)
      const lines = splitLines(text.toString())
      assert.equal(lines.length, count, form.key)
      const json = JSON.parse(lines.at(count === 3 ? 1 : 0)!.replace(/^data: /, ''))
      if (form.contentType === 'application/cloudevents+json')
        assert.deepEqual(json.data, JSON.parse(event.payload.text))
      else assert.deepEqual(json, shown(event))
    }
  })
  fc.assert(property, { numRuns: 500 })
})

/** As Python's `str.splitlines`, on which httpx's `iter_lines` and that of requests with `decode_unicode` rest. */
function splitLines(text: string): string[] {
  // oxlint-disable-next-line no-control-regex -- they are what lines end at
  const lines = text.split(/\r\n|[\n\v\f\r\u001c-\u001e\u0085\u2028\u2029]/u)
  if (lines.at(-1) === '') lines.pop()
  return lines
}

/** Bytes of the header of an unmasked frame (RFC 6455 §5.2). */
function headerBytes(frame: Buffer): number {
  return frame[1]! < 126 ? 2 : frame[1] === 126 ? 4 : 10
}

/** The one line that these bytes are. */
function onlyLine(bytes: Uint8Array): string {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  assert.match(text, /^\{[^\r\n\0]*\}\n$/)
  return text
}
