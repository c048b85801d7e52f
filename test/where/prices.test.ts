import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile, type Program } from '../../src/where/cel.ts'

const HUGE = 100_000_000
const TURNS = 100

/** What each operation is given where it takes longest, as measured, and the payload. Each is done in a loop of 100 turns. */
const OPERATIONS: Readonly<Record<string, readonly [body: string, payload?: object]>> = {
  'a turn': ['true'],
  comparison: ['x == 1 || x < n', { n: 0 }],
  arithmetic: ['x * 2 + 1 - n / 3 > n', { n: 7 }],
  'arithmetic of ints': ['i * 3 + 1 - i / 7 > i % 5', { i: 9_007_199_254_740_993n }],
  'a member that is missing': ['a.b.c.d == x'],
  'a list literal': ['[x, x, x, x, x, x] == []'],
  'a map literal': ['{"a": x, "b": x, "c": x, "d": x} == {}'],
  'a map literal with long keys': ['{s + string(x): 1}.size() == 1', { s: 's'.repeat(2_000) }],
  'a conditional': ['(x > 1 ? s : s) == s', { s: 's' }],
  'timestamp(text)': ['timestamp(s) > timestamp(0)', { s: '2024-02-29T23:59:59.123456789+01:30' }],
  'timestamp(int)': ['timestamp(int(n)) == timestamp(int(n))', { n: 1_588_132_959 }],
  'a part of a timestamp': ['timestamp(int(n)).getFullYear() == 1', { n: 1_588_132_959 }],
  getDayOfYear: ['timestamp(int(n)).getDayOfYear() == 1', { n: 1_588_132_959 }],
  'times added': ['timestamp(int(n)) + duration("1s") > timestamp(int(n))', { n: 1 }],
  'duration()': ['duration(s) == duration(s)', { s: '1h1m1s1ms1us1ns'.repeat(4) }],
  'duration() of what is none': ['duration(s) == duration(s)', { s: '1'.repeat(64) }],
  'int(text)': ['int(s) == x', { s: '-9223372036854775807' }],
  'int(what is none)': ['int(s) == x', { s: '1111111111111111111x' }],
  'int(double)': ['int(n) == x', { n: 9.1e18 }],
  'double(text)': ['double(s) == x', { s: '1.2345678901234567e-300' }],
  'double(long text)': ['double(s) == x', { s: `0.${'1234567890'.repeat(100)}` }],
  'double(what is none)': ['double(s) == x', { s: 'İ'.repeat(1_000) }],
  'string(double)': ['string(n) == s', { n: 1.234_567_890_123_456e-300, s: '' }],
  'string(int)': ['string(i) == s', { i: 9_007_199_254_740_993n, s: '' }],
  'bool(), type(), dyn()': ['bool(s) && type(x) == int || dyn(x) == 1', { s: 'true' }],
  'size(text)': ['size(s) == x', { s: '😀'.repeat(5_000) }],
  'size(list)': ['size(l) == x', { l: [1, 2, 3] }],
  'size(map)': ['size(m) == x', { m: mapOf(1_000) }],
  'in a list': ['x in l', { l: Array(500).fill(-1) }],
  'in a list of lists': ['[x] in l', { l: Array.from({ length: 100 }, () => [[[-1]]]) }],
  'in a literal list': ['x in [9, 8, 7, "a", "b"] || s in ["a", "b"]', { s: 'c' }],
  'in a map': ['(s + string(x)) in m', { s: 's'.repeat(2_000), m: mapOf(100) }],
  'an element by a new name': ['m[s + string(x)] == x', { s: 's'.repeat(2_000), m: mapOf(100) }],
  'an element by its number': ['l[2] == x && l[x] == x', { l: [1, 2, 3] }],
  'equal texts': ['s == t', { s: 'é'.repeat(5_000), t: `${'é'.repeat(4_999)}!` }],
  'texts in order': ['s < t', { s: 'é'.repeat(5_000), t: `${'é'.repeat(4_999)}!` }],
  'equal lists': ['l == k', { l: Array(500).fill(1), k: Array(500).fill(1) }],
  'equal maps': ['m == k', { m: mapOf(300), k: mapOf(300) }],
  'texts joined': ['(s + s + s).endsWith(t)', { s: 'é'.repeat(5_000), t: 'x' }],
  'lists joined': ['(l + l).size() == x', { l: Array(500).fill(1) }],
  'contains(one character)': ['s.contains(t)', { s: 'aaaaaaaa'.repeat(1_000), t: 'b' }],
  'contains(few characters)': ['s.contains(t)', { s: '一'.repeat(8_000), t: '一一一b' }],
  'contains(many characters)': [
    's.contains(t)',
    { s: '一'.repeat(8_000), t: `${'一'.repeat(200)}b` },
  ],
  'contains(more than V8 has tables for)': [
    's.contains(t)',
    { s: 'a'.repeat(8_000), t: `${'a'.repeat(2_000)}b${'a'.repeat(2_000)}` },
  ],
  'startsWith()': ['s.startsWith(t)', { s: 'é'.repeat(5_000), t: `${'é'.repeat(4_999)}!` }],
  'endsWith()': ['s.endsWith(t)', { s: 'é'.repeat(5_000), t: `!${'é'.repeat(4_999)}` }],
  'lowerAscii()': ['s.lowerAscii() == s', { s: 'İA'.repeat(2_500) }],
  'upperAscii() of a short text': ['s.upperAscii() == s', { s: 'éa' }],
  'upperAscii()': ['s.upperAscii() == s', { s: 'ŉa'.repeat(2_500) }],
  'trim()': ['s.trim() == s', { s: '\u2003'.repeat(5_000) }],
  'filter and map': ['[1, 2, 3, 4].filter(y, y > 2).map(y, y + 1).size() == x'],
  'a loop over names': ['m.all(y, true)', { m: mapOf(100) }],
  exists_one: ['[1, 2, 3, 4].exists_one(y, y == 2)'],
}

function mapOf(length: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length }, (_, n) => [`name ${n}`, n]))
}

test('no operation takes more than three times its price', (t) => {
  const stepNs = measuredStepNs()
  const dear: string[] = []
  for (const [name, [body, payload = {}]] of Object.entries(OPERATIONS)) {
    // A body that cannot be evaluated must not end the loop.
    const program = compile(`turns.all(x, dyn(${body}) == 0 || true)`)
    const variables = {
      __proto__: null,
      turns: Array.from({ length: TURNS }, (_, n) => n),
      ...payload,
    }
    const steps = stepsOf(program, variables)
    const ns = nsOf(() => program.evaluate(variables, HUGE))
    const times = ns / steps / stepNs
    t.diagnostic(`${name}: ${steps} steps, ${times.toFixed(2)} times its price`)
    if (times > 3) dear.push(`${name}: ${times.toFixed(1)} times its price`)
  }
  assert.deepEqual(dear, [])
})

/** The fewest with which it is evaluated. */
function stepsOf(program: Program, variables: Readonly<Record<string, unknown>>): number {
  let [few, enough] = [0, HUGE]
  assert.notEqual(program.evaluate(variables, enough), 'failed')
  while (enough - few > 1) {
    const middle = Math.floor((few + enough) / 2)
    if (program.evaluate(variables, middle) === 'failed') few = middle
    else enough = middle
  }
  return enough
}

/** A step is 50 ns on a machine that looks at a character of a text in 1 ns; on this one it is as much longer. */
function measuredStepNs(): number {
  const text = 'x'.repeat(100_000)
  let sum = 0
  const ns = nsOf(() => {
    for (let n = 0; n < text.length; n++) if (text.charCodeAt(n) === 0xd800) sum++
  })
  assert.equal(sum, 0)
  return Math.max(50, (50 * ns) / text.length)
}

/** Of this thread's CPU, which a busy machine does not change much; the best of a few. */
function nsOf(run: () => unknown): number {
  run()
  let [best, times] = [Infinity, 1]
  for (let round = 0; round < 3;) {
    const before = process.threadCpuUsage()
    for (let n = 0; n < times; n++) run()
    const { user, system } = process.threadCpuUsage(before)
    // Its clock may tick every few ms.
    if (user + system < 8_000) times *= 2
    else {
      best = Math.min(best, ((user + system) * 1_000) / times)
      round++
    }
  }
  return best
}
