import fc from 'fast-check'
import { hostileGroup, type HostileCase } from './hostile-group.ts'
import { requestText, sendBytes } from './http-input.ts'
import { oddText, repeated, type OddText } from './odd-text.ts'

/** What `limits.head_bytes` leaves of 65,536 beside the request line and the other headers. */
const LENGTH_MAX = 65_000

/** What many readers of headers look for. */
const COMMON = ['a', '1', '0', ' ', '\t', ',', ';', '=', '"', '\\', '/', ':', '-', '.', '\xe9', '*']

/** The headers that the server looks at, or a library of it, each with what else means something in it. */
const PIECES: Readonly<Record<string, readonly string[]>> = {
  Accept: [
    'text/html',
    'application/json',
    '*/*',
    ';q=0',
    ';q=0.5',
    ';q=',
    'text/',
    '; a="',
    'q=1',
  ],
  'Accept-Encoding': ['gzip', ';q=0', 'identity'],
  'Accept-Language': ['de', 'en-GB', ';q=0.1'],
  'Access-Control-Request-Headers': ['ce-id', 'authorization'],
  'Access-Control-Request-Method': ['PUT'],
  Authorization: ['Basic ', 'basic ', 'Bearer ', 'dXNlcjpwYXNz', '='],
  Connection: ['close', 'upgrade', 'keep-alive'],
  'Content-Encoding': ['gzip', 'br'],
  'Content-Type': [
    'application/json',
    'application/x-ndjson',
    'multipart/form-data',
    '; boundary=',
    '; charset="',
    '+json',
  ],
  Cookie: ['a=b', '; ', '='],
  Expect: ['100-continue'],
  Forwarded: ['for=1.2.3.4', 'for="[::1]:1"', ';proto=https'],
  Host: ['localhost', '[::1]', ':2069', '.'],
  'Idempotency-Key': ['k', '"'],
  'If-None-Match': ['W/', '"', '"a"', '*'],
  'Last-Event-ID': ['00000000-0000-4000-8000-000000000000'],
  Origin: ['http://', 'https://a.example', 'null', '[::1]', ':1'],
  Range: ['bytes=', '0-1'],
  Referer: ['http://a/'],
  'Sec-Fetch-Mode': ['navigate'],
  'Sec-Fetch-Site': ['cross-site', 'same-origin'],
  'Sec-WebSocket-Extensions': ['permessage-deflate', '; client_max_window_bits', '="'],
  'Sec-WebSocket-Key': ['AAAAAAAAAAAAAAAAAAAAAA=='],
  'Sec-WebSocket-Protocol': ['chat'],
  'Sec-WebSocket-Version': ['13'],
  Upgrade: ['websocket', 'h2c'],
  'User-Agent': ['Mozilla/5.0 ', '(', ')'],
  'X-Fetch-Since': ['-', '+', 'e', '.'],
  'X-Fetch-Since-Cursor': ['00000000-0000-4000-8000-000000000000'],
  'X-Forwarded-For': ['1.2.3.4', '[::1]:1', '::ffff:1.2.3.4', '%', 'unknown'],
  'X-Forwarded-Proto': ['https'],
  'ce-id': ['%', '%41', '%ff'],
  'ce-source': ['%', '%41', '/', '?', '#', '://'],
  'ce-specversion': ['1.0'],
  'ce-time': ['2026-11-20T10:00:00', '.', 'Z', '+00:00'],
  'ce-type': ['%', '%41'],
}

interface HeaderInput {
  readonly method: string
  readonly value: OddText
}

/** Those that make a request go further when they stand beside the odd one. */
const BESIDE: Readonly<Record<string, readonly string[]>> = {
  Accept: ['application/xhtml+xml'].map((type) => `Accept: text/html,${type}`),
  'Access-Control-Request-Headers': [
    'Origin: https://a.example',
    'Access-Control-Request-Method: PUT',
  ],
  'Access-Control-Request-Method': ['Origin: https://a.example'],
  ...Object.fromEntries(
    ['ce-id', 'ce-source', 'ce-time', 'ce-type'].map((name) => [
      name,
      ['ce-id', 'ce-source', 'ce-specversion', 'ce-type']
        .filter((other) => other !== name)
        .map((other) => `${other}: ${other === 'ce-specversion' ? '1.0' : 'a'}`),
    ]),
  ),
  ...Object.fromEntries(
    ['Extensions', 'Key', 'Protocol', 'Version'].map((last) => [
      `Sec-WebSocket-${last}`,
      ['Connection: Upgrade', 'Upgrade: websocket']
        .concat(last === 'Key' ? [] : 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==')
        .concat(last === 'Version' ? [] : 'Sec-WebSocket-Version: 13'),
    ]),
  ),
}

function headerCase(name: string, pieces: readonly string[]): HostileCase<HeaderInput> {
  return {
    name,
    inputs: fc.record({
      method: fc.constantFrom('GET', 'GET', 'PUT', 'HEAD', 'OPTIONS'),
      value: oddText([...pieces, ...COMMON], LENGTH_MAX),
    }),
    examples:
      name === 'X-Fetch-Since' ? [{ method: 'GET', value: repeated('1', 60_000, 'x') }] : [],
    async send(server, { method, value }) {
      const lines = [`${name}: ${value.toString()}`, ...(BESIDE[name] ?? [])]
      const body = method === 'PUT' ? '{"a":1}' : ''
      if (method === 'PUT') lines.push(`Content-Length: ${body.length}`)
      const hasHost = name !== 'Host'
      await sendBytes(server, requestText(method, '/fruits', lines, { hasHost }), body)
    },
  }
}

hostileGroup(
  'headers',
  {
    config: {
      server: { cors: { origins: ['https://a.example'] } },
      clients: { trust_proxy: ['127.0.0.1'] },
      limits: { login_delay: 0, login_refusal: 0 }, // its own time is no turn of the event loop
    },
  },
  Object.entries(PIECES).map(([name, pieces]) => headerCase(name, pieces)),
)
