import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RawClient } from '../raw-client.ts'
import { get, put, sharedPubsub } from '../requests.ts'

const server = sharedPubsub()

/** Neither control characters nor half surrogate pairs, which no attribute may have (CloudEvents 1.0, "Type System"). */
const anyText = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 20 })
  .filter((text) => !/[\p{Cc}\p{Cs}]/u.test(text))
const anyInteger = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
// V8 13.6 confuses names in JSON.parse that have backslashes.
const anyJson = fc
  .jsonValue({ maxDepth: 3, stringUnit: 'binary' })
  .filter((value) => !JSON.stringify(value).includes('\\'))

const anyAttributes = fc
  .record(
    {
      id: anyText,
      source: fc.webUrl({ withFragments: true, withQueryParameters: true }),
      type: anyText,
      subject: anyText,
      dataschema: fc.webUrl(),
      time: fc
        .date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true })
        .map((date) => date.toISOString()),
    },
    { requiredKeys: ['id', 'source', 'type'] },
  )
  .map((known) => ({ specversion: '1.0', ...known }))

/** With ours of another server, which must not make another event of it. */
const anyName = fc.oneof(
  { weight: 9, arbitrary: fc.stringMatching(/^x[a-z\d]{0,19}$/) },
  { weight: 1, arbitrary: fc.constantFrom('pubsubcursor', 'pubsubpath') },
)
const anyExtensions = fc.dictionary(anyName, fc.oneof(anyText, anyInteger, fc.boolean()), {
  maxKeys: 4,
  noNullPrototype: true,
})

/** A body, and what of it stands in the JSON format. */
const anyContent = fc.oneof(
  fc.constant({ body: Buffer.alloc(0), type: undefined, members: {} }),
  anyJson.map((data) => {
    const type = 'application/json; charset=utf-8'
    const members = { datacontenttype: type, data }
    return { body: Buffer.from(JSON.stringify(data)), type, members }
  }),
  fc
    .string({ unit: 'grapheme', minLength: 1 })
    .filter((text) => text.isWellFormed())
    .map((data) => {
      const type = 'text/plain'
      return { body: Buffer.from(data), type, members: { datacontenttype: type, data } }
    }),
  fc.uint8Array({ minLength: 1 }).map((bytes) => {
    const body = Buffer.from(bytes)
    const type = 'application/octet-stream'
    const members = { datacontenttype: type, data_base64: body.toString('base64') }
    return { body, type, members }
  }),
)

type Attributes = Readonly<Record<string, string | number | boolean>>

/** As http-protocol-binding.md §3.1.3.2 writes the value of a header. */
function headerValue(value: string | number | boolean): string {
  return String(value).replace(/[^!-~]|["%]/gu, (character) =>
    [...Buffer.from(character)]
      .map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`)
      .join(''),
  )
}

function inHeaders(attributes: Attributes): string[] {
  return Object.entries(attributes).map(([name, value]) => `ce-${name}: ${headerValue(value)}`)
}

/** Attributes of another order, spaces and escapes are the same event. */
function written(event: object, isSpread: boolean): string {
  if (!isSpread) return JSON.stringify(event)
  const reversed = Object.fromEntries(Object.entries(event).toReversed())
  return JSON.stringify(reversed, null, '\r\n\t').replace(
    '"specversion"',
    String.raw`"\u0073pecversion"`,
  )
}

test('a CloudEvent comes out as it went in, whatever it holds and whichever mode it came in', async () => {
  await using publisher = await RawClient.open(server().port)
  await using stream = await RawClient.open(server().port)
  stream.send(get('/round/trip', 'Accept: application/cloudevents+json'))
  await stream.head()
  const anyEvent = fc.record({
    attributes: anyAttributes,
    extensions: anyExtensions,
    content: anyContent,
  })

  const publishInto = async (body: string | Uint8Array, ...headers: readonly string[]) => {
    const answer = await publisher.ask(put('/round/trip', body, headers))
    assert.equal(answer.status, 202, answer.body)
  }
  const assertNext = async (expected: Readonly<Record<string, unknown>>) => {
    const { pubsubcursor: cursor, pubsubpath: path, ...event } = await nextEvent(stream)
    assert.match(String(cursor), /^[\da-f-]{36}$/)
    assert.equal(path, '/round/trip')
    const { pubsubcursor: _cursor, pubsubpath: _path, ...own } = expected
    assert.deepEqual(event, own)
  }

  await fc.assert(
    fc.asyncProperty(
      fc.array(anyEvent, { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      async (events, isSpread) => {
        const [first] = events
        const { attributes, extensions, content } = first!
        const inAll: Attributes = { ...attributes, ...extensions }
        const texts = Object.entries(inAll).map(([name, value]) => [name, String(value)] as const)
        await publishInto(
          content.body,
          ...inHeaders(inAll),
          ...(content.type === undefined ? [] : [`Content-Type: ${content.type}`]),
        )
        await assertNext({ ...Object.fromEntries(texts), ...content.members })

        const all = events.map((event) => ({
          ...event.attributes,
          ...event.extensions,
          ...event.content.members,
        }))
        await publishInto(written(all[0]!, isSpread), 'Content-Type: application/cloudevents+json')
        await assertNext(all[0]!)
        await publishInto(
          `[${all.map((event) => written(event, isSpread)).join(' ,\n')}]`,
          'Content-Type: application/cloudevents-batch+json; charset=UTF-8',
        )
        for (const event of all) await assertNext(event)
      },
    ),
    { numRuns: 150 },
  )
})

async function nextEvent(stream: RawClient): Promise<Record<string, unknown>> {
  for (;;) {
    const line = Buffer.from((await stream.chunk())!, 'latin1').toString()
    const json = JSON.parse(line)
    if (!('stillalive' in json)) return json
  }
}
