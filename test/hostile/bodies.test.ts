import fc from 'fast-check'
import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib'
import { hostileGroup, type HostileCase } from './hostile-group.ts'
import { holdStream, requestText, sendBytes } from './http-input.ts'
import { oddText, OddText, repeated } from './odd-text.ts'
import type { WatchedServer } from './watched-server.ts'

/** `server.max_payload_size` and `limits.batch_bytes`, as they are unless somebody sets them. */
const PAYLOAD_BYTES_MAX = 102_400
const BATCH_BYTES_MAX = 8_388_608

/** What JSON is made of, right and wrong, deep and wide, long and short. */
const JSON_PIECES = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ':',
  ',',
  '{"a":',
  '{"a":1}',
  '[1,',
  '[[',
  ']]',
  '"a":1,',
  '"":',
  '\\',
  '\\"',
]
  .concat([
    '\\u0000',
    '\\ud83d',
    '\\u00e9',
    '\xc3\xa9',
    '\xff',
    '1',
    '-',
    '.',
    'e9',
    '0',
    '9',
    'true',
    'null',
    ' ',
    '\t',
    '\r',
    '\n',
  ])
  .concat(['"pubsub_topics":1,', '"__proto__":1,', '"toString":1,'])

const CLOUD_EVENT = '{"specversion":"1.0","id":"1","source":"a","type":"b"'

/** Of streams. */
const FORMS = ['*/*', 'application/x-ndjson', 'text/event-stream', 'application/cloudevents+json']

interface Body {
  readonly type: string
  readonly text: OddText
}

/** What stands before and behind the odd part, so that a reader comes that far. */
const ENDS: Readonly<Record<string, readonly [before: string, behind: string]>> = {
  object: ['{"a":', '}'],
  member: ['{"a":1,', '}'],
  text: ['{"a":"', '"}'],
  name: ['{"', '":1}'],
  anything: ['', ''],
}

async function publish(server: WatchedServer, body: Buffer, lines: readonly string[]) {
  await sendBytes(
    server,
    requestText('PUT', '/hostile/bodies', [`Content-Length: ${body.length}`, ...lines]),
    body,
  )
}

/** With a stream of each form, so that what is accepted is also encoded and sent in all of them. */
async function publishToAll(...publication: Parameters<typeof publish>) {
  await using streams = new AsyncDisposableStack()
  const [server] = publication
  for (const type of FORMS) streams.use(await holdStream(server, '/hostile', [`Accept: ${type}`]))
  await publish(...publication)
}

function bodyCase(
  name: string,
  types: readonly string[],
  lengthMax: number,
  pieces: readonly string[],
  ends: readonly [before: string, behind: string],
  runs?: number,
): HostileCase<Body> {
  const [before, behind] = ends
  return {
    name,
    inputs: fc.record({
      type: fc.constantFrom(...types),
      text: oddText(pieces, lengthMax - before.length - behind.length),
    }),
    ...(runs === undefined ? {} : { runs }),
    async send(server, { type, text }) {
      const body = Buffer.from(`${before}${text.toString()}${behind}`, 'latin1')
      await publishToAll(server, body, [`Content-Type: ${type}`])
    },
  }
}

const objects = Object.entries(ENDS).map(([name, ends]) =>
  bodyCase(
    `one object: odd ${name}`,
    ['application/json', 'application/cloudevents+json', ''],
    PAYLOAD_BYTES_MAX,
    JSON_PIECES,
    ends,
  ),
)

/** Right ones, as large as they may be. */
const largest: HostileCase<OddText> = {
  name: 'one object, as large as it may be',
  inputs: fc
    .constantFrom(['{"a":', '}', 17_000], ['[', ']', 50_000], ['{"a":', '}', 890], ['[', ']', 890])
    .map(
      ([open, close, times]) =>
        new OddText([
          ['{"b":', 1],
          [open as string, times as number],
          ['1', 1],
          [close as string, times as number],
          ['}', 1],
        ]),
    ),
  examples: [
    repeated('{"a":[', 1, `${'1,'.repeat(51_000)}1]}`),
    repeated('{"a":', 1, `${'9'.repeat(102_000)}}`),
    repeated('{"a":-0.', 1, `${'9'.repeat(102_000)}e-9}`),
    repeated('{"a":"', 1, `${'\\u0001'.repeat(17_000)}"}`),
    repeated('{', 1, `${Array.from({ length: 9_000 }, (_, i) => `"${i}":1`).join()}}`),
    repeated('{', 1, `${'"a":1,'.repeat(17_000)}"b":1}`),
  ],
  async send(server, text) {
    await publishToAll(server, Buffer.from(text.toString(), 'latin1'), [])
  },
}

const batches = [
  bodyCase(
    'lines, as long as they may be',
    ['application/x-ndjson'],
    BATCH_BYTES_MAX,
    ['{"a":1}\n', '{"a":1}\r\n', '\n', '{}\n', ' ', '{', '{"a":[[1]]}\n', '\r'],
    ['{}\n', ''],
    8,
  ),
  bodyCase(
    'CloudEvents, as many as they may be',
    ['application/cloudevents-batch+json'],
    BATCH_BYTES_MAX,
    [
      `${CLOUD_EVENT}},`,
      `${CLOUD_EVENT},"data":[[1]]},`,
      '[',
      '{',
      '"',
      '\\',
      ' ',
      '{"a":1},',
      '1,',
    ],
    ['[', `${CLOUD_EVENT}}]`],
    8,
  ),
]

/** Right ones, as many and as large as they may be: each has some 800 bytes. */
const largestBatches = (
  name: string,
  send: typeof publish,
): HostileCase<{ type: string; payload: string }> => ({
  name,
  inputs: fc.record({
    type: fc.constantFrom('application/x-ndjson', 'application/cloudevents-batch+json'),
    payload: fc.constantFrom('"a"', '1,', '[[', '{"a":', '\\u0001'),
  }),
  runs: 6,
  async send(server, { type, payload }) {
    const part =
      payload === '1,'
        ? `[${'1,'.repeat(375)}1]`
        : payload === '[['
          ? `${'['.repeat(370)}${']'.repeat(370)}`
          : payload === '{"a":'
            ? `${'{"a":'.repeat(124)}1${'}'.repeat(124)}`
            : `"${'\\u0001'.repeat(124)}"`
    const event = `${CLOUD_EVENT},"data":${part}}`
    const events = Array.from({ length: 9_990 }, () => event)
    const isLines = type === 'application/x-ndjson'
    const body = isLines ? events.join('\n') : `[${events.join()}]`
    await send(server, Buffer.from(body), [`Content-Type: ${type}`])
  },
})

interface Packed {
  readonly encoding: 'gzip' | 'deflate' | 'br' | 'identity' | 'x'
  readonly text: OddText
  /** Of what is sent. */
  readonly cutAt: number
}

/** What a body becomes must not exceed what it might be. */
const packed: HostileCase<Packed> = {
  name: 'packed bodies',
  inputs: fc.record({
    encoding: fc.constantFrom('gzip', 'deflate', 'br', 'identity', 'x'),
    text: oddText(['{"a":1}', ' ', '\n', '"', '0'], 50_000_000),
    cutAt: fc.oneof(fc.constant(Infinity), fc.nat(10_000)),
  }),
  runs: 10,
  async send(server, { encoding, text, cutAt }) {
    const bytes = Buffer.from(text.toString())
    const body =
      encoding === 'gzip'
        ? gzipSync(bytes)
        : encoding === 'deflate'
          ? deflateSync(bytes)
          : encoding === 'br'
            ? brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })
            : bytes.subarray(0, PAYLOAD_BYTES_MAX)
    await publish(server, body.subarray(0, cutAt), [
      `Content-Encoding: ${encoding}`,
      'Content-Type: application/x-ndjson',
    ])
  },
}

interface Chunked {
  readonly size: OddText
  readonly body: OddText
}

/** A body in many small parts, and what stands between them. */
const chunked: HostileCase<Chunked> = {
  name: 'bodies in chunks',
  inputs: fc.record({
    size: oddText(['0', '1', 'f', ';a=b', ';', ' ', '\r\n'], 100),
    body: oddText(
      ['1\r\n{\r\n', '1\r\n \r\n', '2\r\n{}\r\n', '0\r\n', '\r\n', 'a: b\r\n'],
      1_000_000,
    ),
  }),
  examples: [{ size: repeated('', 0, '1'), body: repeated(' \r\n1\r\n', 150_000) }],
  runs: 30,
  async send(server, { size, body }) {
    const head = requestText('PUT', '/hostile/chunks', ['Transfer-Encoding: chunked'])
    await sendBytes(server, head, `${size.toString()}\r\n${body.toString()}0\r\n\r\n`)
  },
}

hostileGroup(
  'bodies',
  {
    // The newest events are kept for those who are about to join: 4 MiB, and what they cost beside.
    heapBytesMax: 16_777_216,
  },
  [
    ...objects,
    largest,
    ...batches,
    largestBatches('batches, as large as they may be, which nobody follows', publish),
    largestBatches(
      'batches, as large as they may be, which streams of every form follow',
      publishToAll,
    ),
    packed,
    chunked,
  ],
)
