import fc from 'fast-check'
import { hostileGroup, type HostileCase } from './hostile-group.ts'
import { holdStream, requestText, sendBytes } from './http-input.ts'
import { oddText, repeated, type OddText } from './odd-text.ts'

/** `limits.where_length`. */
const LENGTH_MAX = 1_024

const PIECES = [
  '(',
  ')',
  '[',
  ']',
  '{',
  '}',
  '[[',
  '{1:',
  ',',
  '.',
  '!',
  '-',
  '&&',
  '||',
  '==',
  '<',
  '+',
  '?',
  ':',
  '"',
  '\\',
  "r'",
  '1',
  '1u',
  '0x',
].concat([
  '1.0',
  'true',
  'null',
  'a',
  'a.b',
  'has(a.b)',
  'a.all(x,',
  'a.map(x,',
  'size(',
  'a.matches("',
  '(a+)+$',
  ' ',
  '\n',
  'é',
  '😀',
  '//',
])

const compiled: HostileCase<OddText> = {
  name: 'expressions of the full length',
  inputs: oddText(PIECES, LENGTH_MAX),
  examples: [
    repeated('!', 1_023, 'a'),
    repeated('(', 512, `1${')'.repeat(511)}`),
    repeated('a||', 341, 'a'),
  ],
  runs: 200,
  async send(server, text) {
    const where = encodeURIComponent(text.toString())
    await sendBytes(server, requestText('GET', `/fruits?where=${where}`))
  },
}

const CONDITIONS = [
  'a == 1',
  'a == a',
  'a[0] == a[0]',
  'a.all(x, a.all(y, x == y))',
  'a.map(x, a).size() == 1',
  'a.exists(x, x in a)',
  'a[0].matches("(a*)*b")',
  'a[0].contains("ab")',
  'string(a[0]) == "1"',
  'a[0] + a[0] == a[0]',
]

interface Evaluated {
  readonly where: string
  readonly payload: OddText
}

/** Against an event as large as it may be. */
const evaluated: HostileCase<Evaluated> = {
  name: 'expressions against large events',
  inputs: fc.record({
    where: fc.constantFrom(...CONDITIONS),
    payload: oddText(
      ['1', ',1', '[', ']', '"', '{"b":', '}', '123456789012345678901234', '\\u00e9'],
      100_000,
    ),
  }),
  examples: CONDITIONS.flatMap((where) => [
    { where, payload: repeated('1,', 50_000, '1') },
    { where, payload: repeated('9', 102_000) },
    { where, payload: repeated('', 0, `"${'a'.repeat(102_000)}"`) },
    { where, payload: repeated('{"b":', 890, `1${'}'.repeat(890)}`) },
    { where, payload: repeated('12345678901234567,', 5_600, '1') },
  ]),
  async send(server, { where, payload }) {
    await using _stream = await holdStream(server, `/fruits?where=${encodeURIComponent(where)}`)
    const body = `{"a":[${payload.toString()}]}`
    await sendBytes(server, requestText('PUT', '/fruits', [`Content-Length: ${body.length}`]), body)
  },
}

// The newest events are kept for those who are about to join: 4 MiB, and what they cost beside.
hostileGroup('expressions', { heapBytesMax: 16_777_216 }, [compiled, evaluated])
