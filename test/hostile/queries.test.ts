import fc from 'fast-check'
import { hostileGroup, type HostileCase } from './hostile-group.ts'
import { requestText, sendBytes } from './http-input.ts'
import { oddText, repeated, type OddText } from './odd-text.ts'

/** What a request line may have: all of `limits.head_bytes` but what stands around it. */
const LENGTH_MAX = 65_200

/** What any query is made of, in the characters that a request line may have. */
const COMMON = [
  'a',
  '1',
  '0',
  '.',
  ',',
  '+',
  '-',
  '%',
  '%20',
  '%41',
  '%ff',
  '%00',
  '%e2%82',
  '&',
  '=',
  '?',
  '/',
  ';',
  '"',
]

/** The parameters of a stream, and what else means something in each. */
const PIECES: Readonly<Record<string, readonly string[]>> = {
  cursor: ['00000000-0000-4000-8000-000000000000', 'f'],
  since: ['all', '10m', 'ms', 's', 'h', 'e', '2026-11-20T10:00:00', 'Z', ':00'],
  on_gap: ['oldest', 'live', 'fail'],
  until: ['10m', 'ms', 's', '2026-11-20T10:00:00', '.5', 'Z'],
  count: ['9', '%2b'],
  timeout: ['9', 's', 'm', 'e9'],
  without: ['%2c', 'fruits', '%f0%9f%8d%8e'],
  where: [
    'true',
    '(',
    ')',
    '[',
    '{',
    '%22',
    '%5c',
    '%7c%7c',
    '%26%26',
    '%3d%3d',
    '!',
    'has(a.b)',
    '%0a',
  ],
  unknown: ['%5b', '%5d'],
}

interface QueryInput {
  readonly value: OddText
  readonly times: number
}

function queryCase(name: string, pieces: readonly string[]): HostileCase<QueryInput> {
  return {
    name: `?${name}=`,
    inputs: fc.record({
      value: oddText([...pieces, ...COMMON], LENGTH_MAX),
      // The same parameter again and again, as often as that fits.
      times: fc.constantFrom(1, 1, 1, 2, 5_000),
    }),
    examples: [
      { value: repeated('1', 60_000, 'x'), times: 1 },
      { value: repeated('', 0, '1'), times: 5_000 },
    ],
    async send(server, { value, times }) {
      const part = `&${name}=${value.toString()}`
      const query = part.repeat(Math.max(1, Math.min(times, Math.floor(LENGTH_MAX / part.length))))
      await sendBytes(server, requestText('GET', `/fruits?${query.slice(1, LENGTH_MAX)}`))
    },
  }
}

hostileGroup('queries', {}, [
  ...Object.entries(PIECES).map(([name, pieces]) => queryCase(name, pieces)),
  {
    name: 'queries of any names',
    inputs: oddText([...Object.keys(PIECES).map((name) => `&${name}=`), ...COMMON], LENGTH_MAX),
    async send(server, query: OddText) {
      await sendBytes(server, requestText('GET', `/fruits?${query.toString()}`))
    },
  },
])
