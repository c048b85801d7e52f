import type { EventSeen, Expected, ExpectedAnswer } from './observation.ts'

export interface Deviation {
  /** Quotes docs/protocols/pypubsub.md: a row of its section 9 by the left column, or another sentence of it. */
  readonly because: string
  /** By case: what is expected of us on the connections where the transcript does not count. */
  readonly cases: Readonly<Record<string, Readonly<Record<string, readonly Expected[]>>>>
}

const TEXT = 'text/plain; charset=utf-8'
const accepted: ExpectedAnswer = {
  status: 202,
  contentType: TEXT,
  body: 'Payload received, thank you very much!\n',
}
const notUnderstood: ExpectedAnswer = {
  status: 400,
  contentType: TEXT,
  body: 'I could not understand your request, sorry! Please see https://pubsub.apache.org/api.html for usage documentation.\n',
}
const tooLarge: ExpectedAnswer = {
  status: 400,
  contentType: TEXT,
  body: 'Payload is too large for me to serve, please make it shorter.\n',
}
const notAllowed: ExpectedAnswer = {
  status: 403,
  contentType: TEXT,
  body: 'You are not authorized to deliver payloads!\n',
}
const tooDeep: ExpectedAnswer = { status: 400, contentType: TEXT, body: /limits\.json_depth/ }
const reserved: ExpectedAnswer = { status: 400, contentType: TEXT, body: /\/-\// }
const goOn: Expected = { status: 100, body: '' }
const streaming: Expected = {
  status: 200,
  contentType: 'application/vnd.pypubsub-stream',
  body: null,
}
const keepAlive: Expected = { control: 'stillalive' }
const laterKeepAlive: Expected = { control: 'stillalive', gap: 'about 5 s' }

/** `own`: the payload's members as a transcript spells them. */
function event(own: string, path: string): EventSeen {
  const topics = path.split('/').filter((topic) => topic !== '')
  return { event: own, topics: topics[0] === 'private' ? topics.slice(1) : topics, path }
}
const marker = event('{"marker":"end"}', '/marker')
const next = event('{"next":1}', '/second')

/** The usual cases: one request under a watcher's eyes, then an ordinary publication on the same connection. */
function refused(answer: ExpectedAnswer) {
  return { client: [answer, accepted], watcher: [streaming, keepAlive, next, marker] }
}
function published(own: string, path: string) {
  return {
    client: [accepted, accepted],
    watcher: [streaming, keepAlive, event(own, path), next, marker],
  }
}

/** The same for every case of a list. */
function each<Value>(names: readonly string[], value: Value): Record<string, Value> {
  return Object.fromEntries(names.map((name) => [name, value]))
}

/** The events that cases of private.ts publish, by their number, and which of them anybody sees. */
const numbered = [
  '/private',
  '/private/fruits',
  '/private/fruits/apples',
  '/private/apples/fruits/x',
  '/private/apples',
  '/private/mail',
  '/private/2024',
  '/private/private/fruits',
  '/private/fruits/encoded',
  '//private//fruits',
  '/private,fruits',
  '/Private/fruits',
  '/fruits/private',
  '/fruits',
  '/private',
  '/private/fruits/absolute',
]
const nth = (n: number) => event(`{"n":${n}}`, numbered[n] ?? '')
const anybodysEvents = [10, 11, 12, 13]
const fruitEvents = [1, 2, 3, 7, 8, 9, ...anybodysEvents, 15]
const sees = (numbers: readonly number[]) => ({
  client: [streaming, keepAlive, ...numbers.map(nth), marker],
})
const seesWithoutMarker = (numbers: readonly number[]) => ({
  client: [streaming, keepAlive, ...numbers.map(nth), laterKeepAlive],
})

/** What a stream sees after the five events of a backlog case: some of them again, then one live. */
const replayed = (...numbers: readonly number[]) => ({
  client: [
    streaming,
    ...numbers.map((n) => event(`{"n":${n}}`, n % 2 ? '/n/odd' : '/n/even')),
    keepAlive,
    event('{"n":6}', '/n/odd/even/other'),
  ],
})
const oldSchool = (seen: Expected): Expected =>
  'status' in seen ? seen : { ...seen, terminator: '\n\0' }

const onSecondPut = (what: string) => `${what}, then PUT on the same connection`

/** Every case in which we differ from the original on purpose. */
export const deviations: readonly Deviation[] = [
  {
    because: 'empty or missing body: connection closed without an answer (400, usage text)',
    cases: each(
      [
        ...[
          'PUT without a body',
          'POST without a body',
          'PUT with an empty body',
          'POST with an empty body',
          'PUT with an empty chunked body',
        ].map(onSecondPut),
        'a body encoded as gzip with an empty body',
      ],
      refused(notUnderstood),
    ),
  },
  {
    because: 'The Content-Type of the request does not matter',
    cases: { [onSecondPut('PUT with two Content-Types')]: published('{"a":1}', '/x') },
  },
  {
    because: 'Bodies are UTF-8 whatever charset is named',
    cases: {
      [onSecondPut('PUT of UTF-8 named ISO-8859-1')]: published('{"a":"ë"}', '/x'),
      [onSecondPut('PUT of ISO-8859-1 named so')]: refused(notUnderstood),
      [onSecondPut('PUT in an unknown charset')]: published('{"a":1}', '/x'),
    },
  },
  {
    because: '`Expect: 100-continue` never answered (answered, or refused at once with 400/403)',
    cases: {
      [onSecondPut('PUT with Expect and its body at once')]: { client: [goOn, accepted, accepted] },
      'Expect: 100-continue waits for its answer': { client: [goOn, accepted] },
    },
  },
  {
    because:
      "the original's answer depends on the version of its HTTP library (older ones serve it)",
    cases: {
      [onSecondPut('PUT without a Host')]: published('{"a":1}', '/x'),
      'a GET without a Host': { client: [streaming, keepAlive, event('{"n":1}', '/x')] },
    },
  },
  {
    because: "the original's answer depends on the version of its HTTP library (400, usage text)",
    cases: {
      [onSecondPut('PUT with its Content-Length twice')]: {
        client: [notUnderstood, { end: 'closed' }],
      },
      ...each(
        [
          'lines that end in LF alone',
          ...[
            'HTTP/2 with prior knowledge',
            'HTTP/3.0',
            'no version',
            'a TLS handshake',
            'a target without a slash',
            'a target with a space',
            'a target with bytes above 127',
            'a target with a control character',
            'a header without a colon',
            'a header that goes on in the next line',
            'a NUL in a header',
            'a negative Content-Length',
            'a Content-Length with a sign',
            'a Content-Length that is a list',
            'a Content-Length that is no number',
            'a Content-Length beyond 64 bits',
            'two Content-Lengths that differ',
            'Content-Length beside chunks',
            'chunks within gzip',
            'an unknown Transfer-Encoding',
            'a chunk size that is no number',
            'a chunk longer than its size',
          ].map((what) => `malformed: ${what}`),
        ],
        { client: [notUnderstood] },
      ),
    },
  },
  {
    because: "space before a header's colon accepted (400)",
    cases: { 'malformed: a space before a colon': { client: [notUnderstood] } },
  },
  {
    because: 'other methods than PUT, POST, GET, HEAD: 400, usage text',
    cases: each(
      [
        'malformed: a method in lower case',
        'malformed: get in lower case',
        'malformed: an invented method',
      ],
      { client: [notUnderstood] },
    ),
  },
  {
    because: 'NaN and Infinity accepted; 1e400 sent on as `Infinity` (400; number text kept)',
    cases: {
      ...each(
        [
          'a body that is an object with NaN',
          'a body that is an object with Infinity',
          'a body that is an object with -Infinity',
          'a body that is NaN alone',
        ],
        refused(notUnderstood),
      ),
      'a body that is an object with a number beyond all floats': published(
        '{"a":1e400}',
        '/first',
      ),
    },
  },
  {
    because:
      '500 on deep nesting, huge integers, bad UTF-8, unknown charset (202 or 400, never 5xx)',
    cases: {
      ...each(
        [
          'a body that is an object with a byte that is no UTF-8',
          'a body that is an object with overlong UTF-8',
          'a body that is an object with half a UTF-8 character',
          'a body that is an object with a surrogate as UTF-8',
          'a body encoded as gzip that is none',
          'a body encoded as gzip of something that is no JSON',
        ],
        refused(notUnderstood),
      ),
    },
  },
  {
    because: 'Objects nested deeper than `limits.json_depth` (900) are 400',
    cases: each(
      [
        'a body with arrays 950 deep',
        'a body with objects 950 deep',
        'a body with arrays 5000 deep',
        'a body with objects 5000 deep',
        'a body with arrays 40000 deep',
      ],
      {
        client: [tooDeep, accepted],
        watcher: [streaming, keepAlive, event('{"next":1}', '/flat'), marker],
      },
    ),
  },
  {
    because: 'size limit bypassed by chunked and gzip bodies; above 1 MiB always 413',
    cases: {
      ...each(
        [
          'a body of one byte more than the limit in a chunk',
          'a body encoded as gzip that unpacks beyond the limit',
          'a body encoded as deflate that unpacks beyond the limit',
        ],
        refused(tooLarge),
      ),
      'a body of 1 MiB and a byte in a chunk': { client: [tooLarge] },
    },
  },
  {
    because: 'an unknown Content-Encoding is 400 (known: gzip, deflate, br)',
    cases: {
      ...each(
        [
          'a body encoded as an unknown encoding',
          'a body encoded as x-gzip',
          'a body encoded as gzip within gzip',
        ],
        refused(notUnderstood),
      ),
      'a body encoded as brotli': published('{"a":1}', '/x'),
    },
  },
  {
    because: 'A body that is cut off publishes nothing',
    cases: { 'a body encoded as gzip that is cut off': refused(notUnderstood) },
  },
  {
    because:
      'HTTP/1.0 clients cannot be streamed to with chunks: an empty 200, a refusal, or plain lines until close',
    cases: {
      'an HTTP/1.0 GET is not streamed to in chunks': {
        client: [{ ...streaming, isChunked: false }, keepAlive, event('{"n":1}', '/x')],
      },
    },
  },
  {
    because: 'any web page open in a whitelisted browser can publish',
    cases: each(
      [
        'a publication with an Origin elsewhere',
        'a publication with the Origin null',
        'a publication with an Origin that equals a Host with a name',
        'a publication with an Origin on another port of the Host',
        'a publication with Sec-Fetch-Site: cross-site',
      ],
      refused(notAllowed),
    ),
  },
  {
    because: 'topic `-` is ordinary (publishing there is 400)',
    cases: each(['PUT /-', 'PUT /-/healthz', 'PUT //-//x', 'PUT /%2D/x'], {
      client: [reserved],
      watcher: [streaming, keepAlive, marker],
    }),
  },
  {
    because: 'Unquoted numbers in passwords and topics count as their text as written',
    cases: {
      'private events as seen by mallory, whose password is a number': sees(fruitEvents),
      'private events as seen by victor, whose password is a hexadecimal number': sees(fruitEvents),
      'private events as seen by niaj, whose topics are numbers': sees([6, ...anybodysEvents]),
    },
  },
  {
    because:
      'Unknown user, wrong password, malformed header, another scheme: treated as anonymous (the original drops what is no base64, and needs no scheme)',
    cases: each(
      [
        'private events as seen by Basic and base64 with a line of garbage behind',
        'private events as seen by Basic and base64 with garbage within',
        'private events as seen by base64 without a scheme',
      ],
      sees(anybodysEvents),
    ),
  },
  {
    because: '`basic` in lower case not accepted (accepted)',
    cases: each(
      [
        'private events as seen by basic in lower case',
        'private events as seen by BASIC in capitals',
      ],
      sees(fruitEvents),
    ),
  },
  {
    because: '`secure_topics` as text or with unquoted numbers secures nothing (secured)',
    cases: {
      'a number as a secure topic': {
        client: [notAllowed, accepted],
        watcher: [streaming, keepAlive, event('{"n":2}', '/2025'), marker],
      },
    },
  },
  {
    because: '`oldschoolers:` null makes every request 500 (empty list)',
    cases: {
      'null for everything that may be null': {
        client: [accepted, { status: 204, contentType: TEXT, body: '' }],
        stream: [streaming, keepAlive],
      },
    },
  },
  {
    because: 'subscription `/private/x` matches nothing (means: private events with x)',
    cases: {
      'GET /private by a user who may see everything': seesWithoutMarker([
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 15,
      ]),
      'GET /private/fruits by a user who may see everything': seesWithoutMarker([
        1, 2, 3, 7, 8, 9, 15,
      ]),
      'GET /mail,private/fruits by a user who may see everything': seesWithoutMarker([
        1, 2, 3, 5, 7, 8, 9, 15,
      ]),
      'GET /%70rivate/apples by a user who may see everything': seesWithoutMarker([2, 3, 4]),
      'an anonymous GET of private topics stays an open stream': {
        private: [streaming, keepAlive, laterKeepAlive],
        fruits: [streaming, keepAlive, laterKeepAlive],
      },
    },
  },
  {
    because: 'a user removed from the ACL keeps receiving private events on open streams',
    cases: {
      ...each(
        [
          'a reload that takes a user away takes the rights from open streams',
          'a reload that changes a password takes the rights from open streams',
        ],
        { client: [streaming, keepAlive, event('{"open":1}', '/fruits')] },
      ),
      'a reload that leaves a subscription to private topics nothing to see': {
        client: [streaming, keepAlive, { end: 'closed' }],
        both: [streaming, keepAlive, event('{"open":1}', '/fruits')],
      },
    },
  },
  {
    because: 'bytes that are no UTF-8 are ISO-8859-1',
    cases: { 'private events as seen by zoë in ISO-8859-1': sees(fruitEvents) },
  },
  {
    because: 'A reload judges open streams again: the rights are those that the name has now',
    cases: {
      'a reload that gives rights gives them to open streams': {
        client: [
          streaming,
          keepAlive,
          event('{"secret":1}', '/private/fruits'),
          event('{"open":1}', '/fruits'),
        ],
      },
    },
  },
  {
    because: '`X-Fetch-Since` crashes the stream (undefined name) (works)',
    cases: {
      'GET with X-Fetch-Since where there is no backlog': {
        client: [streaming, keepAlive, event('{"n":1,"a":"ë"}', '/x/é')],
      },
      'a replay from time 0': replayed(1, 2, 3, 4, 5),
      'a replay from the time of the first': replayed(1, 2, 3, 4, 5),
      'a replay from the time of the third': {
        client: [
          streaming,
          event('{"n":3}', '/n'),
          event('{"n":4}', '/n'),
          keepAlive,
          event('{"n":5}', '/n'),
        ],
      },
      'a replay from a time before all': replayed(1, 2, 3, 4, 5),
      'a replay from a negative time': replayed(1, 2, 3, 4, 5),
      'a replay from a time to come': replayed(),
      'a replay from a time that is no number': replayed(1, 2, 3, 4, 5),
      'a replay from a time, on a topic': replayed(2, 4),
      'a replay from a time, as an old-school client': {
        client: replayed(1, 3, 5).client.map(oldSchool),
      },
      'a replay from a time and a cursor': replayed(5),
      'a replay from a time and an unknown cursor': replayed(1, 2, 3, 4, 5),
    },
  },
]
