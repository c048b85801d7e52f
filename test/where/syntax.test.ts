import assert from 'node:assert/strict'
import { test } from 'node:test'
import v8 from 'node:v8'
import vm from 'node:vm'
import * as fc from 'fast-check'
import { compile } from '../../src/where/cel.ts'
import { CelError, nodesIn, parse } from '../../src/where/syntax.ts'

test('a tree has as many nodes as were written', () => {
  for (const [text, nodes] of [
    ['a', 1],
    ['a.b == -1', 5],
    ['[1, a].exists(x, x in {"k": v}) ? b : !c', 14],
    ['size(a["k"]) > 0', 6],
  ] as const)
    assert.equal(nodesIn(parse(text)), nodes, text)
})

test('what is not served is refused where it stands', () => {
  for (const [text, start] of [
    ['a && nope()', 5],
    ['a.nope()', 2],
    ['[a, {"k": a.b(1)}]', 12],
    ['a.matches("x")', 2],
    ['a.getHours("UTC")', 2],
  ] as const)
    assert.throws(
      () => parse(text),
      (error: unknown) => error instanceof CelError && error.start === start,
      text,
    )
})

/** Ever new types, names, members, texts and numbers, some of them refused at the end. */
const KINDS: Readonly<Record<string, (n: string) => string>> = {
  'literals in literals': (n) => `${literalOf(n)} == ${literalOf(`${n}1`)}`,
  'literals that are refused': (n) => `${literalOf(n)} == 1`,
  'unknown functions': (n) => Array.from({ length: 30 }, (_, i) => `f${n}_${i}(a)`).join(' + '),
  'unknown methods': (n) => Array.from({ length: 30 }, (_, i) => `a.m${n}_${i}()`).join(' + '),
  members: (n) => Array.from({ length: 30 }, (_, i) => `a.m${n}_${i}`).join(' == '),
  texts: (n) => `a == "${n.repeat(60)}" || b == '''${n}''' || c == r"${n}"`,
  numbers: (n) => `a == 1${n} || b == 0.${n} || c == 0x${n}`,
  loops: (n) =>
    `a.map(v${n}, [v${n}]).filter(w${n}, {"k": w${n}} == {})${'.map(x, [x])'.repeat(20)} == []`,
  unfinished: (n) => `(a${n} == [{"k${n}": (`,
  characters: (n) => `a == "${n}\u{1f600}" ¶`,
}

/** Lists and maps in each other, in an order of its own for each number. */
function literalOf(digits: string): string {
  let literal = '"x"'
  for (const digit of `${digits}${digits}${digits}`)
    literal = Number(digit) % 2 === 0 ? `[${literal}, ${digit}]` : `{"k": ${literal}}`
  return literal
}

test('nothing is left of what was compiled, taken or refused', () => {
  v8.setFlagsFromString('--expose-gc')
  const collect: () => void = vm.runInNewContext('gc')
  const usedBytes = () => {
    collect()
    return process.memoryUsage().heapUsed
  }
  for (const [kind, textOf] of Object.entries(KINDS)) {
    const compileMany = (from: number) => {
      for (let n = from; n < from + 500; n++)
        try {
          compile(textOf(String(1e8 + n * 7_919)))
        } catch (error) {
          assert.ok(error instanceof CelError)
        }
    }
    compileMany(0) // also the code is compiled
    const before = usedBytes()
    compileMany(500)
    const bytes = usedBytes() - before
    // What leaked took 270 bytes for a name, and some 100 KB for a literal.
    assert.ok(bytes < 500_000, `${kind}: ${bytes} bytes are left of 500 expressions`)
  }
})

test('no text of the full length takes more than 100 ms of CPU, whatever is in it', () => {
  const pieces = fc.constantFrom(
    ...'a b. [ ] ( ) { } : , ! - + * / % ? == != < && || in "x" \'y\' 1 0x 1.5e3 1u r" b"x" \\u0041 """ // true null'.split(
      ' ',
    ),
    ...'.map(x, .all(x, has(a.b) size(a) .nope( timestamp( \u{1f600} \n ¶'.split(' '),
    '[{"k":',
    'a.b',
    ' ',
  )
  const texts = fc
    .tuple(fc.array(pieces, { minLength: 1, maxLength: 8 }), fc.constantFrom('a', '', ')', '"'))
    .map(
      ([parts, end]) =>
        parts
          .join('')
          .repeat(4_096)
          .slice(0, 4_096 - end.length) + end,
    )
  fc.assert(
    fc.property(texts, (text) => {
      const before = process.threadCpuUsage()
      try {
        compile(text)
      } catch (error) {
        assert.ok(error instanceof CelError, String(error))
      }
      const { user, system } = process.threadCpuUsage(before)
      assert.ok(user + system < 100_000, `${(user + system) / 1_000} ms for ${text.slice(0, 60)}`)
    }),
    { numRuns: 300 },
  )
})
