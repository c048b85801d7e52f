import { exchange, publish, request, until, utf8, watched, type Case, type Step } from '../case.ts'

const OBJECT = '{"a": 1}'

/** Each is sent under the eyes of a watcher, then an ordinary publication on the same connection. */
const requests: Readonly<Record<string, string>> = {
  PUT: request('PUT', '/x', { body: OBJECT }),
  POST: request('POST', '/x', { body: OBJECT }),
  'PUT without a body': request('PUT', '/x'),
  'POST without a body': request('POST', '/x'),
  'PUT with an empty body': request('PUT', '/x', { body: '' }),
  'POST with an empty body': request('POST', '/x', { body: '' }),
  'PUT with an empty chunked body': request('PUT', '/x', {
    headers: ['Transfer-Encoding: chunked'],
    body: '0\r\n\r\n',
  }),

  DELETE: request('DELETE', '/x'),
  'DELETE with a body': request('DELETE', '/x', { body: OBJECT }),
  'PATCH with a body': request('PATCH', '/x', { body: OBJECT }),
  OPTIONS: request('OPTIONS', '/x'),
  'OPTIONS *': request('OPTIONS', '*'),
  'OPTIONS with an Origin': request('OPTIONS', '/x', { headers: ['Origin: http://page.test'] }),
  'a CORS preflight': request('OPTIONS', '/x', {
    headers: ['Origin: http://page.test', 'Access-Control-Request-Method: PUT'],
  }),
  PROPFIND: request('PROPFIND', '/x'),
  TRACE: request('TRACE', '/x'),
  MKCOL: request('MKCOL', '/x'),
  'M-SEARCH': request('M-SEARCH', '/x'),
  LINK: request('LINK', '/x'),
  PURGE: request('PURGE', '/x'),
  SOURCE: request('SOURCE', '/x'),
  'QUERY with a body': request('QUERY', '/x', { body: OBJECT }),
  HEAD: request('HEAD', '/x'),
  'HEAD of a private topic': request('HEAD', '/private/x'),

  'PUT as curl -d sends it': request('PUT', '/x', {
    headers: [
      'User-Agent: curl/8.5.0',
      'Accept: */*',
      'Content-Type: application/x-www-form-urlencoded',
    ],
    body: OBJECT,
  }),
  'PUT of JSON': request('PUT', '/x', {
    headers: ['Content-Type: application/json'],
    body: OBJECT,
  }),
  'PUT of JSON in UTF-8': request('PUT', '/x', {
    headers: ['Content-Type: application/json; charset=utf-8'],
    body: utf8('{"a": "ë"}'),
  }),
  'PUT of plain text': request('PUT', '/x', {
    headers: ['Content-Type: text/plain'],
    body: OBJECT,
  }),
  'PUT of octets': request('PUT', '/x', {
    headers: ['Content-Type: application/octet-stream'],
    body: OBJECT,
  }),
  'PUT of multipart': request('PUT', '/x', {
    headers: ['Content-Type: multipart/form-data; boundary=x'],
    body: OBJECT,
  }),
  'PUT with Content-Type ;;': request('PUT', '/x', { headers: ['Content-Type: ;;'], body: OBJECT }),
  'PUT with an empty Content-Type': request('PUT', '/x', {
    headers: ['Content-Type:'],
    body: OBJECT,
  }),
  'PUT with Content-Type %%%/': request('PUT', '/x', {
    headers: ['Content-Type: %%%/'],
    body: OBJECT,
  }),
  'PUT with Content-Type json': request('PUT', '/x', {
    headers: ['Content-Type: json'],
    body: OBJECT,
  }),
  'PUT with two Content-Types': request('PUT', '/x', {
    headers: ['Content-Type: text/plain', 'Content-Type: application/json'],
    body: OBJECT,
  }),
  'PUT in the charset ISO-8859-1': request('PUT', '/x', {
    headers: ['Content-Type: text/plain; charset=iso-8859-1'],
    body: OBJECT,
  }),
  'PUT of UTF-8 named ISO-8859-1': request('PUT', '/x', {
    headers: ['Content-Type: text/plain; charset=iso-8859-1'],
    body: utf8('{"a": "ë"}'),
  }),
  'PUT of ISO-8859-1 named so': request('PUT', '/x', {
    headers: ['Content-Type: text/plain; charset=iso-8859-1'],
    body: '{"a": "\xeb"}',
  }),
  'PUT in an unknown charset': request('PUT', '/x', {
    headers: ['Content-Type: application/json; charset=nonsense'],
    body: OBJECT,
  }),

  'PUT in one chunk': request('PUT', '/x', {
    headers: ['Transfer-Encoding: chunked'],
    body: `8\r\n${OBJECT}\r\n0\r\n\r\n`,
  }),
  'PUT in many chunks': request('PUT', '/x', {
    headers: ['Transfer-Encoding: chunked'],
    body:
      OBJECT.split('')
        .map((byte) => `1\r\n${byte}\r\n`)
        .join('') + '0\r\n\r\n',
  }),
  'PUT in chunks that split a character': request('PUT', '/x', {
    headers: ['Transfer-Encoding: chunked'],
    body: '8\r\n{"a": "\xc3\r\n3\r\n\xab"}\r\n0\r\n\r\n',
  }),
  'PUT in chunks with extensions': request('PUT', '/x', {
    headers: ['Transfer-Encoding: chunked'],
    body: `8;name=value\r\n${OBJECT}\r\n0;last\r\n\r\n`,
  }),
  'PUT in chunks with trailers': request('PUT', '/x', {
    headers: ['Transfer-Encoding: chunked', 'Trailer: X-Sum'],
    body: `8\r\n${OBJECT}\r\n0\r\nX-Sum: 1\r\n\r\n`,
  }),
  'PUT in chunks with leading zeros': request('PUT', '/x', {
    headers: ['Transfer-Encoding: chunked'],
    body: `0008\r\n${OBJECT}\r\n000\r\n\r\n`,
  }),
  'PUT in Chunked with a capital': request('PUT', '/x', {
    headers: ['transfer-encoding: Chunked'],
    body: `8\r\n${OBJECT}\r\n0\r\n\r\n`,
  }),
  'PUT in one chunk that is no JSON': request('PUT', '/x', {
    headers: ['Transfer-Encoding: chunked'],
    body: '5\r\nhello\r\n0\r\n\r\n',
  }),

  'PUT with Expect and its body at once': request('PUT', '/x', {
    headers: ['Expect: 100-continue'],
    body: OBJECT,
  }),
  'PUT with an unknown expectation': request('PUT', '/x', {
    headers: ['Expect: tea'],
    body: OBJECT,
  }),
  'PUT with Upgrade: h2c as curl --http2 sends it': request('PUT', '/x', {
    headers: [
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA',
    ],
    body: OBJECT,
  }),
  'PUT with Accept: text/html': request('PUT', '/x', {
    headers: ['Accept: text/html'],
    body: OBJECT,
  }),
  'PUT with Accept-Encoding': request('PUT', '/x', {
    headers: ['Accept-Encoding: gzip, deflate, br, zstd'],
    body: OBJECT,
  }),
  'PUT with an If-Match': request('PUT', '/x', { headers: ['If-Match: "x"'], body: OBJECT }),
  'PUT with a forwarded address': request('PUT', '/x', {
    headers: ['X-Forwarded-For: 192.0.2.1', 'Forwarded: for=192.0.2.1', 'X-Real-IP: 192.0.2.1'],
    body: OBJECT,
  }),
  'PUT with wrong credentials': request('PUT', '/x', {
    headers: ['Authorization: Basic d3Jvbmc6d3Jvbmc='],
    body: OBJECT,
  }),
  'PUT with a malformed Authorization': request('PUT', '/x', {
    headers: ['Authorization: nonsense'],
    body: OBJECT,
  }),
  'PUT after empty lines': `\r\n\r\n${request('PUT', '/x', { body: OBJECT })}`,
  'PUT without a Host': `PUT /x HTTP/1.1\r\nContent-Length: 8\r\n\r\n${OBJECT}`,
  'PUT with an empty Host': `PUT /x HTTP/1.1\r\nHost:\r\nContent-Length: 8\r\n\r\n${OBJECT}`,
  'PUT with header names in capitals': `PUT /x HTTP/1.1\r\nHOST: x\r\nCONTENT-LENGTH: 8\r\n\r\n${OBJECT}`,
  'PUT with its Content-Length twice': request('PUT', '/x', {
    headers: ['Content-Length: 8', 'Content-Length: 8'],
    body: OBJECT,
  }),
  'PUT with a long header': request('PUT', '/x', {
    headers: [`X-Long: ${'x'.repeat(7_000)}`],
    body: OBJECT,
  }),
  'PUT with 90 headers': request('PUT', '/x', {
    headers: Array.from({ length: 90 }, (_, n) => `X-Header-${n}: ${n}`),
    body: OBJECT,
  }),
  'PUT with a header above ASCII': request('PUT', '/x', {
    headers: [utf8('X-Name: zoë'), 'X-Latin: \xeb'],
    body: OBJECT,
  }),
}

export const requestCases: readonly Case[] = Object.entries(requests).map(([what, bytes]) => ({
  name: `${what}, then PUT on the same connection`,
  config: 'open',
  steps: watched(
    ...exchange('client', bytes),
    ...exchange('client', request('PUT', '/second', { body: '{"next": 1}' })),
  ),
}))

/** Not HTTP, or framed so that two readers could differ on where the body ends. */
const malformed: Readonly<Record<string, string>> = {
  'a method in lower case': request('put', '/x', { body: OBJECT }),
  'get in lower case': request('get', '/x'),
  'an invented method': request('FROBNICATE', '/x'),
  CONNECT: 'CONNECT pubsub.test:443 HTTP/1.1\r\nHost: pubsub.test\r\n\r\n',
  'HTTP/2 with prior knowledge': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'HTTP/3.0': `PUT /x HTTP/3.0\r\nContent-Length: 8\r\n\r\n${OBJECT}`,
  'no version': 'GET /x\r\n\r\n',
  'a TLS handshake': '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n',
  'a target without a slash': request('PUT', 'x', { body: OBJECT }),
  'a target with a space': request('PUT', '/x y', { body: OBJECT }),
  'a target with bytes above 127': request('PUT', utf8('/zoë'), { body: OBJECT }),
  'a target with a control character': request('PUT', '/a\x01b', { body: OBJECT }),
  'a header without a colon': request('PUT', '/x', { headers: ['Nonsense'], body: OBJECT }),
  'a space before a colon': request('PUT', '/x', { headers: ['X-Space : 1'], body: OBJECT }),
  'a header that goes on in the next line': request('PUT', '/x', {
    headers: ['X-Folded: 1', ' 2'],
    body: OBJECT,
  }),
  'a NUL in a header': request('PUT', '/x', { headers: ['X-Nul: a\0b'], body: OBJECT }),
  'a negative Content-Length': request('PUT', '/x', {
    headers: ['Content-Length: -1'],
    body: OBJECT,
  }),
  'a Content-Length with a sign': request('PUT', '/x', {
    headers: ['Content-Length: +8'],
    body: OBJECT,
  }),
  'a Content-Length that is a list': request('PUT', '/x', {
    headers: ['Content-Length: 8, 8'],
    body: OBJECT,
  }),
  'a Content-Length that is no number': request('PUT', '/x', {
    headers: ['Content-Length: 8x'],
    body: OBJECT,
  }),
  'a Content-Length beyond 64 bits': request('PUT', '/x', {
    headers: ['Content-Length: 99999999999999999999'],
    body: OBJECT,
  }),
  'two Content-Lengths that differ': request('PUT', '/x', {
    headers: ['Content-Length: 8', 'Content-Length: 9'],
    body: OBJECT,
  }),
  'Content-Length beside chunks': request('PUT', '/x', {
    headers: ['Content-Length: 8', 'Transfer-Encoding: chunked'],
    body: `8\r\n${OBJECT}\r\n0\r\n\r\n`,
  }),
  'chunks within gzip': request('PUT', '/x', {
    headers: ['Transfer-Encoding: chunked, gzip'],
    body: `8\r\n${OBJECT}\r\n0\r\n\r\n`,
  }),
  'an unknown Transfer-Encoding': request('PUT', '/x', {
    headers: ['Transfer-Encoding: tea'],
    body: OBJECT,
  }),
  'a chunk size that is no number': request('PUT', '/x', {
    headers: ['Transfer-Encoding: chunked'],
    body: `x\r\n${OBJECT}\r\n0\r\n\r\n`,
  }),
  'a chunk longer than its size': request('PUT', '/x', {
    headers: ['Transfer-Encoding: chunked'],
    body: `7\r\n${OBJECT}\r\n0\r\n\r\n`,
  }),
}

export const malformedCases: readonly Case[] = Object.entries(malformed).map(([what, bytes]) => ({
  name: `malformed: ${what}`,
  config: 'open',
  steps: watched(...exchange('client', bytes)),
}))

const cutOff: Readonly<Record<string, string>> = {
  'in its body': request('PUT', '/x', { headers: ['Content-Length: 100'], body: OBJECT }),
  'in a chunk': request('PUT', '/x', {
    headers: ['Transfer-Encoding: chunked'],
    body: `9\r\n${OBJECT}`,
  }),
  'before the last chunk': request('PUT', '/x', {
    headers: ['Transfer-Encoding: chunked'],
    body: `8\r\n${OBJECT}\r\n`,
  }),
  'in its headers': 'PUT /x HTTP/1.1\r\nHost: pubsub.test\r\nContent-Le',
}

export const cutOffCases: readonly Case[] = Object.entries(cutOff).map(([where, bytes]) => ({
  name: `a publication cut off ${where} publishes nothing`,
  config: 'open',
  steps: watched(
    { on: 'client', send: bytes },
    { on: 'client', finishSending: true },
    ...publish('/other', '{"n": 2}'),
  ),
}))

const put = (target: string, body = OBJECT) => request('PUT', target, { body })
const answers = (on: string, count: number): Step[] =>
  Array.from({ length: count }, () => ({ on, awaits: 'answer' }))

export const connectionCases: readonly Case[] = [
  {
    name: 'three publications sent at once are answered and published in order',
    config: 'open',
    steps: watched(
      { on: 'client', send: put('/x', '{"n": 1}') + put('/x', '{"n": 2}') + put('/x', '{"n": 3}') },
      ...answers('client', 3),
    ),
  },
  {
    name: 'refusals between pipelined publications keep their place',
    config: 'open',
    steps: watched(
      {
        on: 'client',
        send:
          put('/x', '{"n": 1}') +
          put('/x', 'hello') +
          put('/guarded', '{"n": 2}') +
          put('/x', '[]') +
          request('DELETE', '/x', { body: '{"n": 3}' }) +
          request('HEAD', '/x') +
          put('/x', '{"n": 4}'),
      },
      ...answers('client', 7),
    ),
  },
  {
    name: 'a body that looks like a request is not taken for one, though it is refused',
    config: 'open',
    steps: watched(
      {
        on: 'client',
        send:
          put('/guarded', put('/inner', '{"n": 1}')) +
          request('DELETE', '/x', { body: put('/inner', '{"n": 2}') }) +
          put('/x', '{"n": 3}'),
      },
      ...answers('client', 3),
    ),
  },
  {
    name: 'a GET behind a publication streams',
    config: 'open',
    steps: [
      { on: 'client', send: put('/x', '{"n": 1}') + request('GET', '/y') },
      ...answers('client', 2),
      ...publish('/y', '{"n": 2}'),
      until('client', '"n": 2'),
    ],
  },
  {
    name: 'a GET behind a refused publication streams',
    config: 'open',
    steps: [
      { on: 'client', send: put('/guarded', '{"n": 1}') + request('GET', '/y') },
      ...answers('client', 2),
      ...publish('/y', '{"n": 2}'),
      until('client', '"n": 2'),
    ],
  },
  {
    name: 'a publication sent behind a stream is neither carried out nor answered',
    config: 'open',
    steps: watched(
      { on: 'stream', send: request('GET', '/') + put('/behind', '{"behind": 1}') },
      ...answers('stream', 1),
      { on: 'stream', send: put('/behind', '{"behind": 2}') },
      ...publish('/x', '{"n": 1}'),
      until('stream', '"n"'),
      { on: 'stream', send: put('/behind', '{"behind": 3}') },
      ...publish('/x', '{"m": 2}'),
      until('stream', '"m"'),
    ),
  },
  {
    name: 'a refused request sent behind a stream is not answered',
    config: 'open',
    steps: watched(
      { on: 'stream', send: request('GET', '/') + request('DELETE', '/x') },
      ...answers('stream', 1),
      { on: 'stream', send: put('/guarded') + request('HEAD', '/') + request('GET', '/') },
      ...publish('/x', '{"n": 1}'),
      until('stream', '"n"'),
    ),
  },
  {
    name: 'garbage sent behind a stream does not show up in it',
    config: 'open',
    steps: watched(
      ...exchange('stream', request('GET', '/')),
      { on: 'stream', send: 'garbage\r\n\r\n\0\xff' },
      ...publish('/x', '{"n": 1}'),
      until('stream', '"n"'),
    ),
  },
  {
    name: 'Connection: close closes after the answer',
    config: 'open',
    steps: watched(
      ...exchange('client', request('PUT', '/x', { headers: ['Connection: close'], body: OBJECT })),
      { on: 'client', awaits: 'end' },
      ...exchange('refused', request('PUT', '/x', { headers: ['Connection: close'], body: '[]' })),
      { on: 'refused', awaits: 'end' },
    ),
  },
  {
    name: 'HTTP/1.0 publishes, and the connection closes',
    config: 'open',
    steps: watched(...exchange('client', `PUT /x HTTP/1.0\r\nContent-Length: 8\r\n\r\n${OBJECT}`), {
      on: 'client',
      awaits: 'end',
    }),
  },
  {
    name: 'HTTP/1.0 with keep-alive publishes twice',
    config: 'open',
    steps: watched(
      ...exchange(
        'client',
        `PUT /x HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 8\r\n\r\n${OBJECT}`,
      ),
      ...exchange('client', `PUT /x HTTP/1.0\r\nContent-Length: 8\r\n\r\n${OBJECT}`),
      { on: 'client', awaits: 'end' },
    ),
  },
  {
    name: 'HTTP/1.0 HEAD and DELETE',
    config: 'open',
    steps: [
      ...exchange('head', 'HEAD /x HTTP/1.0\r\n\r\n'),
      { on: 'head', awaits: 'end' },
      ...exchange('delete', 'DELETE /x HTTP/1.0\r\n\r\n'),
      { on: 'delete', awaits: 'end' },
    ],
  },
  {
    name: 'an HTTP/1.0 GET is not streamed to in chunks',
    config: 'open',
    steps: [
      ...exchange('client', 'GET /x HTTP/1.0\r\nHost: pubsub.test\r\n\r\n'),
      ...publish('/x', '{"n": 1}'),
      until('client', '"n"'),
    ],
  },
  {
    name: 'a stream whose client finishes sending is closed',
    config: 'open',
    steps: [
      ...exchange('client', request('GET', '/x')),
      { on: 'client', finishSending: true },
      { on: 'client', awaits: 'end' },
    ],
  },
  {
    name: 'lines that end in LF alone',
    config: 'open',
    steps: watched(
      ...exchange('client', `PUT /x HTTP/1.1\nHost: x\nContent-Length: 8\n\n${OBJECT}`),
    ),
  },
  {
    name: 'a request that comes byte by byte',
    config: 'open',
    steps: watched(
      ...put('/x')
        .split('')
        .map((send): Step => ({ on: 'client', send })),
      ...answers('client', 1),
    ),
  },
  {
    name: 'the body comes after the head was read',
    config: 'open',
    steps: watched(
      { on: 'client', send: 'PUT /x HTTP/1.1\r\nHost: pubsub.test\r\nContent-Length: 8\r\n\r\n' },
      ...publish('/between', '{"n": 1}'),
      until('watcher', '"n"'),
      ...exchange('client', OBJECT),
    ),
  },
  {
    name: 'a refusal comes before the body does',
    config: 'open',
    steps: [
      ...exchange(
        'client',
        'PUT /guarded HTTP/1.1\r\nHost: pubsub.test\r\nContent-Length: 8\r\n\r\n',
      ),
      { on: 'client', send: OBJECT },
      ...exchange('client', put('/x')),
    ],
  },
  {
    name: 'a body too large by its Content-Length is refused before it comes',
    config: 'open',
    steps: exchange(
      'client',
      'PUT /x HTTP/1.1\r\nHost: pubsub.test\r\nContent-Length: 1001\r\n\r\n',
    ),
  },
  {
    name: 'Expect: 100-continue waits for its answer',
    config: 'open',
    steps: watched(
      {
        on: 'client',
        send: request('PUT', '/x', { headers: ['Expect: 100-continue', 'Content-Length: 8'] }),
      },
      ...publish('/between', '{"n": 1}'),
      until('watcher', '"n"'),
      ...exchange('client', OBJECT),
    ),
  },
]

const expecting = (target: string, length: number) =>
  exchange(
    'client',
    request('PUT', target, { headers: ['Expect: 100-continue', `Content-Length: ${length}`] }),
  )

export const expectCases: readonly Case[] = [
  {
    name: 'Expect: 100-continue of a publication that is not allowed',
    config: 'outsiders',
    steps: expecting('/x', 8),
  },
  {
    name: 'Expect: 100-continue of a publication to a secure topic',
    config: 'open',
    steps: expecting('/guarded', 8),
  },
  {
    name: 'Expect: 100-continue of a publication that is too large',
    config: 'open',
    steps: expecting('/x', 1_001),
  },
]
