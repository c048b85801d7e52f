import { basic, exchange, listen, publish, request, until, watched, type Case } from '../case.ts'

/** Requests for the same stream with other headers; an event follows on each. */
const gets: Readonly<Record<string, readonly string[]>> = {
  'no headers': [],
  'the headers of curl': ['User-Agent: curl/8.5.0', 'Accept: */*'],
  'the headers of asfpy': [
    'User-Agent: python-asfpy/0.5',
    'Accept: */*',
    'Accept-Encoding: gzip, deflate',
  ],
  'the headers of Python requests': [
    'User-Agent: python-requests/2.32.0',
    'Accept-Encoding: gzip, deflate, br, zstd',
    'Accept: */*',
    'Connection: keep-alive',
  ],
  'the headers of Ruby': [
    'Accept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3',
    'Accept: */*',
    'User-Agent: Ruby',
  ],
  'the Accept of Java': ['Accept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2'],
  'Accept: application/json': ['Accept: application/json'],
  'Accept: application/vnd.pypubsub-stream': ['Accept: application/vnd.pypubsub-stream'],
  'Accept: text/plain': ['Accept: text/plain'],
  'Accept: text/html': ['Accept: text/html'],
  'an empty Accept': ['Accept:'],
  'a broken Accept': ['Accept: ;;q=,/'],
  'Accept-Encoding: gzip': ['Accept-Encoding: gzip'],
  'Connection: close': ['Connection: close'],
  'TE: trailers': ['Connection: TE', 'TE: trailers'],
  Range: ['Range: bytes=0-10'],
  'If-None-Match': ['If-None-Match: *', 'If-Modified-Since: Sat, 01 Jan 2050 00:00:00 GMT'],
  Origin: ['Origin: http://page.test'],
  'Content-Length: 0': ['Content-Length: 0'],
  'Expect: 100-continue': ['Expect: 100-continue'],
  'Upgrade: h2c as curl --http2 sends it': [
    'Connection: Upgrade, HTTP2-Settings',
    'Upgrade: h2c',
    'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA',
  ],
  'an old-school User-Agent': ['User-Agent: svnwcsub/1.0'],
  'an old-school User-Agent in the middle': ['User-Agent: Mozilla (An Old School Client) 5.0'],
  'an old-school User-Agent in capitals': ['User-Agent: SVNWCSUB/1.0'],
  'a cursor where there is no backlog': [
    'X-Fetch-Since-Cursor: 3f2504e0-4f89-41d3-9a0c-0305e82c3301',
  ],
  'an empty X-Fetch-Since': ['X-Fetch-Since:'],
  'X-Fetch-Since where there is no backlog': ['X-Fetch-Since: 0'],
}

export const streamCases: readonly Case[] = [
  ...Object.entries(gets).map(([what, headers]): Case => ({
    name: `GET with ${what}`,
    config: 'open',
    steps: [
      ...exchange('client', request('GET', '/x', { headers })),
      ...publish('/x/%C3%A9', '{"n": 1, "a": "\\u00eb"}'),
      until('client', '"n"'),
    ],
  })),
  {
    name: 'a GET with a body streams, and the body is not taken for a request',
    config: 'open',
    steps: watched(
      ...exchange(
        'client',
        request('GET', '/x', { body: request('PUT', '/x', { body: '{"inner": 1}' }) }),
      ),
      ...publish('/x', '{"n": 1}'),
      until('client', '"n"'),
    ),
  },
  {
    name: 'a GET without a Host',
    config: 'open',
    steps: [
      ...exchange('client', 'GET /x HTTP/1.1\r\n\r\n'),
      ...publish('/x', '{"n": 1}'),
      until('client', '"n"'),
    ],
  },
  {
    name: 'keep-alives come every 5 s, events or not',
    config: 'open',
    steps: [
      ...listen('client', '/x'),
      ...listen('oldSchool', '/x', ['User-Agent: svnwcsub']),
      ...publish('/x', '{"n": 1}'),
      { on: 'client', awaits: 'keep-alive' },
      { on: 'oldSchool', awaits: 'keep-alive' },
      ...publish('/x', '{"n": 2}'),
      { on: 'client', awaits: 'keep-alive' },
      { on: 'oldSchool', awaits: 'keep-alive' },
    ],
  },
  {
    name: 'all events of one moment come in chunks of their own, in order',
    config: 'open',
    steps: [
      ...listen('client', '/x'),
      ...listen('oldSchool', '/x', ['User-Agent: svnwcsub']),
      {
        on: 'publisher',
        send: Array.from({ length: 30 }, (_, n) =>
          request('PUT', '/x', { body: `{"n": ${n}}` }),
        ).join(''),
      },
      until('client', '"n": 29'),
      until('oldSchool', '"n": 29'),
    ],
  },
  {
    name: 'an event goes to every stream that matches, and once to each',
    config: 'open',
    steps: [
      ...listen('all', '/'),
      ...listen('a', '/a'),
      ...listen('again', '/a'),
      ...listen('oldSchool', '/a', ['User-Agent: svnwcsub']),
      ...listen('root', '/a,b,private', [basic('root:toor')]),
      ...listen('b', '/b'),
      ...publish('/a', '{"n": 1}'),
      ...publish('/b', '{"n": 2}'),
      ...publish('/private/a', '{"n": 3}'),
      ...publish('/b/a', '{"n": 4}'),
      until('all', '"n": 4'),
      until('a', '"n": 4'),
      until('again', '"n": 4'),
      until('oldSchool', '"n": 4'),
      until('root', '"n": 4'),
      until('b', '"n": 4'),
    ],
  },
  {
    name: 'X-Subscribers and X-Requests count',
    config: 'open',
    freshServer: true,
    steps: [
      ...exchange('client', request('HEAD', '/')),
      ...exchange('first', request('GET', '/x')),
      ...exchange('second', request('GET', '/y')),
      ...exchange('client', request('PUT', '/x', { body: '{"n": 1}' })),
      ...exchange('client', request('PUT', '/x', { body: 'hello' })),
      ...exchange('client', request('PUT', '/guarded', { body: '{}' })),
      ...exchange('client', request('DELETE', '/x')),
      ...exchange('third', request('GET', '/')),
      ...exchange('client', request('HEAD', '/')),
    ],
  },
]

const five = [1, 2, 3, 4, 5].flatMap((n) => publish(`/n/${n % 2 ? 'odd' : 'even'}`, `{"n": ${n}}`))
const cursorNumber = (n: number, spelling = 'cursor') =>
  `X-Fetch-Since-Cursor: {{${spelling} ${n}}}`
const timeOf = (n: number) => `X-Fetch-Since: {{timestamp ${n}}}`

/** Requests after five events were seen, with a backlog of five. */
const replays: Readonly<Record<string, readonly [string, ...string[]]>> = {
  'nothing asked for': ['/n'],
  'the cursor of the first': ['/n', cursorNumber(1)],
  'the cursor of the fourth': ['/n', cursorNumber(4)],
  'the cursor of the last': ['/n', cursorNumber(5)],
  'a cursor, on a topic': ['/n/even', cursorNumber(1)],
  'a cursor of an event that the subscription does not match': ['/odd', cursorNumber(2)],
  'a cursor, on everything': ['/', cursorNumber(2)],
  'a cursor, on another topic': ['/other', cursorNumber(1)],
  'a cursor, as an old-school client': ['/n', cursorNumber(3), 'User-Agent: svnwcsub'],
  'a cursor, with its header in capitals': ['/n', 'X-FETCH-SINCE-CURSOR: {{cursor 3}}'],
  'a cursor in capitals': ['/n', cursorNumber(3, 'CURSOR')],
  'an unknown cursor': ['/n', 'X-Fetch-Since-Cursor: 3f2504e0-4f89-41d3-9a0c-0305e82c3301'],
  'a cursor that is too short': ['/n', 'X-Fetch-Since-Cursor: 3f2504e0'],
  'a cursor of 36 other characters': ['/n', `X-Fetch-Since-Cursor: ${'z'.repeat(36)}`],
  'an empty cursor': ['/n', 'X-Fetch-Since-Cursor:'],
  'a cursor in the query string': ['/n?x={{cursor 1}}'],
  'two cursors': ['/n', cursorNumber(4), cursorNumber(1)],
  'time 0': ['/n', 'X-Fetch-Since: 0'],
  'the time of the first': ['/n', timeOf(1)],
  'a time before all': ['/n', 'X-Fetch-Since: 1000000000'],
  'a negative time': ['/n', 'X-Fetch-Since: -1'],
  'a time to come': ['/n', 'X-Fetch-Since: 9999999999'],
  'a time that is no number': ['/n', 'X-Fetch-Since: yesterday'],
  'an empty time': ['/n', 'X-Fetch-Since:'],
  'a time, on a topic': ['/even', 'X-Fetch-Since: 0'],
  'a time, as an old-school client': ['/odd', 'X-Fetch-Since: 0', 'User-Agent: svnwcsub'],
  'a time and a cursor': ['/n', 'X-Fetch-Since: 0', cursorNumber(4)],
  'a time and an unknown cursor': [
    '/n',
    'X-Fetch-Since: 0',
    'X-Fetch-Since-Cursor: 3f2504e0-4f89-41d3-9a0c-0305e82c3301',
  ],
}

const privateReplay = (who: string, headers: readonly string[]): Case => ({
  name: `a replay as seen by ${who}`,
  config: 'backlog',
  freshServer: true,
  steps: [
    ...listen('watcher', '/', [basic('root:toor')]),
    ...publish('/public', '{"n": 0}'),
    ...publish('/private/fruits', '{"n": 1}'),
    ...publish('/private/mail', '{"n": 2}'),
    ...publish('/fruits', '{"n": 3}'),
    until('watcher', '"n": 3'),
    ...listen('client', '/', [...headers, cursorNumber(1)]),
    ...publish('/live', '{"n": 4}'),
    until('client', '"n": 4'),
  ],
})

export const backlogCases: readonly Case[] = [
  ...Object.entries(replays).map(([what, [target, ...headers]]): Case => ({
    name: `a replay from ${what}`,
    config: 'backlog',
    freshServer: true,
    steps: [
      ...listen('watcher', '/'),
      ...five,
      until('watcher', '"n": 5'),
      ...listen('client', target, headers),
      ...publish('/n/odd/even/other', '{"n": 6}'),
      until('client', '"n": 6'),
    ],
  })),
  {
    name: 'a replay from the time of the third',
    config: 'backlog',
    freshServer: true,
    steps: [
      ...listen('watcher', '/'),
      ...publish('/n', '{"n": 1}'),
      ...publish('/n', '{"n": 2}'),
      // The clock goes on.
      { on: 'watcher', awaits: 'keep-alive' },
      ...publish('/n', '{"n": 3}'),
      ...publish('/n', '{"n": 4}'),
      until('watcher', '"n": 4'),
      ...listen('client', '/n', [timeOf(3)]),
      ...publish('/n', '{"n": 5}'),
      until('client', '"n": 5'),
    ],
  },
  privateReplay('nobody', []),
  privateReplay('alice', [basic('alice:wonderland')]),
  privateReplay('root', [basic('root:toor')]),
  {
    name: 'a backlog keeps the newest five, and no refused publication',
    config: 'backlog',
    freshServer: true,
    steps: [
      ...listen('watcher', '/'),
      ...publish('/x', '{"n": 1}'),
      ...publish('/x', '{"n": 2}'),
      ...five,
      ...exchange('client', request('PUT', '/x', { body: '[3]' })),
      ...exchange('client', request('PUT', '/x', { body: 'hello' })),
      ...exchange('client', request('DELETE', '/x')),
      until('watcher', '"n": 5'),
      ...listen('dropped', '/', [cursorNumber(1)]),
      ...listen('oldest', '/', [cursorNumber(3)]),
      ...publish('/live', '{"n": 6}'),
      until('dropped', '"n": 6'),
      until('oldest', '"n": 6'),
    ],
  },
]
