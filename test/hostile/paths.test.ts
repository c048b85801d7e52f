import fc from 'fast-check'
import { hostileGroup, type HostileCase } from './hostile-group.ts'
import { requestText, sendBytes } from './http-input.ts'
import { oddText, repeated, type OddText } from './odd-text.ts'

/** What a request line may have: all of `limits.head_bytes` but what stands around it. */
const LENGTH_MAX = 65_200

const PIECES = [
  '/',
  '//',
  'a',
  'b/',
  'private',
  'private/',
  '-',
  '/-/',
  '.',
  '../',
  ',',
  ',/',
  '%',
  '%2',
  '%2f',
  '%2C',
].concat([
  '%41',
  '%ff',
  '%00',
  '%e4%b8%ad',
  '%e4%b8',
  '%f0%9f',
  '%ed%a0%80',
  '*',
  '**',
  ':',
  ';',
  '=',
  '@',
  '~',
  '+',
])

interface PathInput {
  readonly method: string
  readonly path: OddText
}

/** `before`: what makes it one of a kind. */
function pathCase(name: string, before: string, pieces: readonly string[]): HostileCase<PathInput> {
  return {
    name,
    inputs: fc.record({
      method: fc.constantFrom('GET', 'PUT', 'POST', 'HEAD', 'OPTIONS', 'DELETE'),
      path: oddText(pieces, LENGTH_MAX),
    }),
    examples: ['GET', 'PUT'].flatMap((method) => [
      { method, path: repeated('/a', 4_000) },
      { method, path: repeated('/', LENGTH_MAX) },
      { method, path: repeated('%41', 21_000, '%') },
    ]),
    async send(server, { method, path }) {
      const body = method === 'PUT' || method === 'POST' ? '{"a":1}' : ''
      const lines = body === '' ? [] : [`Content-Length: ${body.length}`]
      await sendBytes(server, requestText(method, `${before}${path.toString()}`, lines), body)
    },
  }
}

hostileGroup('paths', {}, [
  pathCase('paths', '/', PIECES),
  pathCase("the server's own pages", '/-/', [
    ...PIECES,
    'page.js',
    'healthz',
    'openapi.json',
    'visitor',
  ]),
  pathCase('absolute targets', 'http://', [...PIECES, 'a.example', '[::1]', ':80', '?', '#']),
  pathCase('no path at all', '', [...PIECES, '?', '#', '\\']),
  {
    name: 'many different topics',
    inputs: fc.record({
      method: fc.constantFrom('GET', 'PUT'),
      count: fc.integer({ min: 1, max: 4_096 }),
      separator: fc.constantFrom('/', '/', '//', '/%20/'),
    }),
    examples: ['GET', 'PUT'].map((method) => ({ method, count: 4_096, separator: '/' })),
    async send(server, { method, count, separator }) {
      const topics = Array.from({ length: count }, (_, i) => i.toString(36))
      const target = `/${topics.join(separator)}`.slice(0, LENGTH_MAX)
      const lines = method === 'PUT' ? ['Content-Length: 7'] : []
      await sendBytes(server, requestText(method, target, lines), '{"a":1}')
    },
  } satisfies HostileCase<{ method: string; count: number; separator: string }>,
])
