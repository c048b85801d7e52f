import fc from 'fast-check'
import { hostileGroup, type HostileCase } from './hostile-group.ts'
import { requestText, sendBytes } from './http-input.ts'
import { SocketClient } from '../protocols/lonelyps/socket-client.ts'
import { oddText, OddText, repeated } from './odd-text.ts'

const ENDPOINTS = [
  'subscribe/exact',
  'subscribe/glob',
  'unsubscribe/exact',
  'unsubscribe/glob',
  'notify',
].concat(['check_subscriptions', 'set_subscriptions'])

/** Longer ones are refused by what their head says. */
const LENGTH_MAX = 4_000_000

const PIECES = [
  '\0',
  '\0\0',
  '\x01',
  '\xff',
  '\xff\xff',
  'a',
  '/',
  '*',
  '**',
  '[',
  ']',
  '?',
  '\xc3\xa9',
  'http://a/',
  '\0\x01a',
]

/** A text behind its length in two bytes. */
function str16(text: string): string {
  const bytes = Buffer.from(text).subarray(0, 65_535)
  return String.fromCharCode(bytes.length >> 8, bytes.length & 255) + bytes.toString('latin1')
}

async function post(server: Parameters<HostileCase['send']>[0], endpoint: string, body: string) {
  const lines = [`Content-Length: ${body.length}`]
  await sendBytes(server, requestText('POST', `/-/lonelyps/v1/${endpoint}`, lines), body)
}

interface LonelypsBody {
  readonly endpoint: string
  readonly body: OddText
}

const bodies: HostileCase<LonelypsBody> = {
  name: 'bodies of any bytes',
  inputs: fc.record({
    endpoint: fc.constantFrom(...ENDPOINTS),
    body: oddText(PIECES, LENGTH_MAX),
  }),
  async send(server, { endpoint, body }) {
    await post(server, endpoint, body.toString())
  },
}

interface Fields {
  readonly endpoint: string
  readonly url: OddText
  readonly topic: OddText
  readonly recovery: OddText
}

const fields: HostileCase<Fields> = {
  name: 'urls, topics and globs of the full length',
  inputs: fc.record({
    endpoint: fc.constantFrom(
      'subscribe/exact',
      'subscribe/glob',
      'unsubscribe/exact',
      'unsubscribe/glob',
    ),
    url: oddText(
      [
        'http://',
        'https://',
        'a',
        '.',
        '/',
        '@',
        ':',
        '[',
        ']',
        '?',
        '#',
        '%',
        '%2e',
        '\\',
        ' ',
        '127.1',
        'xn--',
      ],
      65_535,
    ),
    topic: oddText(
      ['a', '/', '*', '**', '?', '[', '[!', ']', '-', '\\', '\xff', 'private/'],
      65_535,
    ),
    recovery: oddText(['http://a', '/', '@', ''], 65_535),
  }),
  examples: [
    {
      endpoint: 'subscribe/exact',
      url: repeated('http://a.', 1, 'a.'.repeat(32_000)),
      topic: repeated('a/', 32_000),
      recovery: repeated('', 0),
    },
    {
      endpoint: 'subscribe/glob',
      url: repeated('http://a/', 1),
      topic: repeated('*a', 128),
      recovery: repeated('', 0),
    },
  ],
  async send(server, { endpoint, url, topic, recovery }) {
    const parts = [url, topic, recovery, new OddText([])]
    await post(server, endpoint, parts.map((part) => str16(part.toString())).join(''))
  },
}

interface List {
  readonly count: number
  readonly entry: OddText
}

const lists: HostileCase<List> = {
  name: 'lists of subscriptions',
  inputs: fc.record({
    count: fc.oneof(fc.nat(100_000), fc.constant(0xffff_ffff)),
    entry: oddText(PIECES, 1_000_000),
  }),
  examples: [{ count: 0xffff_ffff, entry: repeated('\0', 1_000_000) }],
  async send(server, { count, entry }) {
    const head = `${str16('')}${str16('http://a/')}\0${'\0'.repeat(64)}`
    const counted = Buffer.alloc(4)
    counted.writeUInt32BE(count)
    await post(
      server,
      'set_subscriptions',
      `${head}${counted.toString('latin1')}${entry.toString()}`,
    )
  },
}

interface Matched {
  readonly glob: OddText
  readonly topic: OddText
}

const globs: HostileCase<Matched> = {
  name: 'globs against long topics',
  inputs: fc.record({
    glob: oddText(['*a', '*', '**', '**/', '?', '[a-z]', '[!b]', 'a', '/', 'b'], 256),
    topic: oddText(['a', 'b', '/', 'a/'], 60_000),
  }),
  examples: [
    { glob: repeated('*a', 127, 'b'), topic: repeated('a', 60_000) },
    { glob: repeated('**/a', 63, 'b'), topic: repeated('a/', 4_000) },
  ],
  async send(server, { glob, topic }) {
    const subscription = [RECEIVER, glob.toString()].map(str16).join('')
    await post(server, 'subscribe/glob', `${subscription}\0\0\0\0`)
    const lines = ['Content-Length: 2']
    await sendBytes(server, requestText('PUT', `/${topic.toString()}`, lines), '{}')
    await post(server, 'unsubscribe/glob', `${subscription}\0\0`)
  },
}

interface ManyMatched extends Matched {
  readonly count: number
  readonly holder: 'one url' | 'a url for each' | 'a WebSocket'
}

/** Each of them takes some ms: they are asked in many turns. */
const manyGlobs: HostileCase<ManyMatched> = {
  name: 'many globs against one long topic',
  inputs: fc.record({
    glob: oddText(['*a', '*', '**', '**/', '?', '[a-z]', 'a', '/', 'b'], 200),
    topic: oddText(['a', 'b', '/', 'a/'], 60_000),
    count: fc.integer({ min: 1, max: 200 }),
    holder: fc.constantFrom('one url', 'a url for each', 'a WebSocket'),
  }),
  examples: (['one url', 'a url for each', 'a WebSocket'] as const).map((holder) => ({
    glob: repeated('*a', 100, 'b'),
    topic: repeated('a', 60_000),
    count: 200,
    holder,
  })),
  runs: 6,
  async send(server, { glob, topic, count, holder }) {
    const globsOf = Array.from({ length: count }, (_, n) => `${glob.toString()}${n}`)
    const subscriptions = globsOf.map((each, n) =>
      [holder === 'one url' ? RECEIVER : `${RECEIVER}${n}`, each].map(str16).join(''),
    )
    const isSocket = holder === 'a WebSocket'
    using client = isSocket ? await SocketClient.configured(server.url) : null
    for (const each of globsOf) await client?.subscribeGlob(each)
    if (!isSocket)
      for (const each of subscriptions) await post(server, 'subscribe/glob', `${each}\0\0\0\0`)
    const path = `/${topic.toString()}`
    await sendBytes(server, requestText('PUT', path, ['Content-Length: 2']), '{}')
    if (!isSocket)
      for (const each of subscriptions) await post(server, 'unsubscribe/glob', `${each}\0\0`)
  },
}

/** Nobody listens there. */
const RECEIVER = 'http://127.0.0.1:9/'

hostileGroup(
  'lonelyps',
  { config: { protocols: { lonelyps: { webhooks: { allow: ['127.0.0.1'] } } } } },
  [bodies, fields, lists, globs, manyGlobs],
)
