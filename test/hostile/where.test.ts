import fc from 'fast-check'
import { hostileGroup, type HostileCase } from './hostile-group.ts'
import { requestText, sendBytes } from './http-input.ts'
import { type OddText, oddText, repeated } from './odd-text.ts'

/** The longest that can be allowed. */
const LENGTH_MAX = 4_096

/** What means something in an expression: literals, operators, calls, loops, quotes, escapes, and what is none of them. */
const PIECES = [
  ...'a n s l m b.c event [ ] ( ) { } : , ! - + * / % ? == != < >= && || in'.split(' '),
  ...'"x" \'y\' 1 0x1f 1.5e3 1u r" b"x" \\u0041 """ // true null [{"k":'.split(' '),
  ...'.size() .all(x, .map(x, .filter(x, .exists_one(x, .contains( .upperAscii()'.split(' '),
  ...'has(event.a) size( int( string( double( timestamp( duration( type( nope( .nope('.split(' '),
  ' ',
  '\n',
  '\u{1f600}',
  '\ud800',
]

const compiled: HostileCase<OddText> = {
  name: '?where= that is compiled or refused',
  inputs: oddText(PIECES, LENGTH_MAX),
  examples: [
    repeated('a+', LENGTH_MAX / 2 - 4, 'a==1'),
    repeated('!', LENGTH_MAX - 1, 'a'),
    repeated('a&&', LENGTH_MAX / 3 - 1, 'a'),
    repeated('[{"k":', 600, ''),
    repeated('f()+', LENGTH_MAX / 4 - 1, '1'),
  ],
  async send(server, text) {
    const path = `/a?where=${encodeURIComponent(String(text).toWellFormed())}`
    await sendBytes(server, requestText('GET', path))
  },
}

/** Many different ones in one request after the other, whose types and names would pile up. */
const evernew: HostileCase<number> = {
  name: 'ever new literals and names in ?where=',
  inputs: fc.nat(),
  runs: 8,
  async send(server, seed) {
    for (let n = 0; n < 20; n++) {
      const where = `${literalOf(seed + n)} == ${n % 2 === 0 ? 'a' : `f${seed}_${n}()`}`
      await sendBytes(server, requestText('GET', `/a?where=${encodeURIComponent(where)}`))
    }
  },
}

function literalOf(number: number): string {
  let literal = '1'
  let random = number + 1
  for (let level = 0; level < 50; level++) {
    random = (random * 48_271) % 2_147_483_647
    literal = random % 2 === 0 ? `[${literal}]` : `{"k": ${literal}}`
  }
  return literal
}

hostileGroup(
  'expressions',
  { config: { limits: { where_length: LENGTH_MAX }, clients: { payloaders: ['127.0.0.1'] } } },
  [compiled, evernew],
)
