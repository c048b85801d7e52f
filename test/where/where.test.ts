import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { LimitExceededError, PubSubError } from '../../src/publication/errors.ts'
import type { Cursor, Position, PublishedEvent } from '../../src/hub/event.ts'
import { WhereError, WhereExpressions } from '../../src/where/where.ts'

const LIMITS = { whereLengthMax: 1_024, whereStepsMax: 10_000 }

/** The payload as text, or what becomes it. */
function event(payload: object | string, more: Partial<PublishedEvent> = {}): PublishedEvent {
  return {
    topics: ['commit', 'git'],
    isPrivate: false,
    path: '/commit/git',
    payload: {
      type: 'json-object',
      text: typeof payload === 'string' ? payload : JSON.stringify(payload),
    },
    position: 1 as Position,
    cursor: 'f02b4908-755f-4455-a215-d1627f190110' as Cursor,
    publishedAtMs: 1_588_132_959_500,
    ...more,
  }
}

/** What one expression says about one event. */
function ask(text: string, about: PublishedEvent): 'match' | 'no match' | 'failed' {
  const where = new WhereExpressions(LIMITS)
  const isMatch = where.parse(text).matches(about)
  if (where.failures > 0) return isMatch ? assert.fail('a failure matched') : 'failed'
  return isMatch ? 'match' : 'no match'
}

function refusal(text: string): string {
  try {
    new WhereExpressions(LIMITS).parse(text)
  } catch (error) {
    assert.ok(error instanceof PubSubError)
    return error.message
  }
  return assert.fail(`${text} was taken`)
}

const COMMIT = event({
  project: 'infra',
  type: 'push',
  event: 'inner',
  priority: 3,
  ratio: 0.5,
  draft: false,
  parent: null,
  labels: ['urgent', 'review'],
  commit: { author: 'jane', files: ['README.md', 'src/a.ts'], 'signed-off': true },
})

describe('an expression matches', () => {
  for (const text of [
    'project == "infra"',
    'project != "other" && priority >= 3',
    'project == "other" || commit.author.startsWith("ja")',
    'project.contains("fra") && project.endsWith("ra") && project.size() == 5',
    'project.upperAscii() == "INFRA"',
    '"RENÉ".lowerAscii() == "renÉ" && "straße".upperAscii() == "STRAßE"', // only letters of ASCII
    'project in ["infra", "docs", 7]',
    'priority == 3 && priority == 3.0 && priority > 2.5 && priority in [1, 3]',
    'priority + 1 == 4 && 1 + priority == 4 && priority * 2 - 1 == 5 && priority / 2 == 1.5',
    'int(priority) % 2 == 1',
    'ratio < 1',
    '!draft && draft == false',
    'parent == null',
    'priority > 2 ? project == "infra" : draft',
    '"urgent" in labels && labels[1] == "review" && size(labels) == 2',
    '"author" in commit && commit["signed-off"]',
    'has(commit.author) && !has(commit.email) && !has(event.nothing)',
    'commit.files.exists(f, f.endsWith(".md"))',
    'commit.files.all(f, f.size() > 3 && project == "infra")',
    'commit.files.exists_one(f, f.startsWith("src/"))',
    'commit.files.filter(f, f.contains("src")).map(f, f + "!") == ["src/a.ts!"]',
    'commit.exists(name, name == "author")',
    'event.type == "push" && event.project == project',
    'event.event == "inner"',
    '"git" in pubsub_topics && pubsub_path.startsWith("/commit") && !pubsub_private',
    'pubsub_timestamp == 1588132959.5 && pubsub_cursor.size() == 36',
    'timestamp(int(pubsub_timestamp)) < timestamp("2026-11-27T00:00:00Z")',
    'timestamp(int(pubsub_timestamp)).getFullYear() == 2020',
    'nothing == 1 || project == "infra"', // CEL: what decides is known
    '!(nothing == 1 && false)',
  ])
    test(text, () => assert.equal(ask(text, COMMIT), 'match'))
})

describe('an expression does not match, and nothing is counted', () => {
  for (const text of [
    'project == "other"',
    'project == 5', // values of different types are different
    'parent == 0',
    'has(commit.email) && commit.email.endsWith("@example.org")',
    'has(commit.constructor) || has(event.toString)',
    'project == "other" && nothing == 1',
    'commit.files.exists(f, f == 5)',
  ])
    test(text, () => assert.equal(ask(text, COMMIT), 'no match'))
})

describe('what cannot be evaluated is no match, and counted', () => {
  for (const text of [
    'nothing == 1',
    'nothing != 1',
    'commit.email == "a"',
    'commit.author.name == "a"',
    'labels.author == "a"',
    'labels[7] == "a"',
    'project > 5',
    'project == "infra" && nothing == 1',
    'project', // neither true nor false
    '!project',
    'project && !draft',
    'project.size() > nothing',
    'priority.startsWith("3")',
    'int(project) == 3',
    'priority / 0 == priority % 0',
    'int(priority) / 0 == 1',
    'constructor == 1',
    'toString == 1 || hasOwnProperty == 1',
  ])
    test(text, () => assert.equal(ask(text, COMMIT), 'failed'))
})

test('failures are counted over all expressions, once each', () => {
  const where = new WhereExpressions(LIMITS)
  const [first, second] = [where.parse('a == 1'), where.parse('b > 1')]
  for (const payload of [{}, { a: 1 }, { a: 1, b: 'text' }, { a: 2, b: 2 }])
    for (const predicate of [first, second]) predicate.matches(event(payload))
  assert.equal(where.failures, 1 + 3)
})

test('a member of the payload never stands in for one of the server', () => {
  const forged = event({ pubsub_private: true, event: { pubsub_private: true } })
  assert.equal(ask('pubsub_private', forged), 'no match')
  assert.equal(ask('event.event.pubsub_private', forged), 'match')
  assert.equal(ask('pubsub_private', event({}, { isPrivate: true })), 'match')
})

test('a member named __proto__ is a member like others', () => {
  const odd = event('{"__proto__": {"admin": true}, "a": 1}')
  assert.equal(ask('admin == true', odd), 'failed')
  assert.equal(ask('event["__proto__"].admin && a == 1', odd), 'match')
})

describe('integers beyond 2^53 are compared exactly', () => {
  const big = event(
    '{"id": 9007199254740993, "ids": [1, -12345678901234567890], "text": ":1234567890123456789"}',
  )
  for (const [text, said] of [
    ['id == 9007199254740993', 'match'],
    ['id == 9007199254740992', 'no match'],
    ['id > 9007199254740992 && id < 9007199254740994', 'match'],
    ['id == 9007199254740992.0', 'no match'],
    ['id in [9007199254740992]', 'no match'],
    ['ids[1] == -12345678901234567890 && ids[0] == 1', 'match'],
    ['ids.exists(i, i == -12345678901234567891)', 'no match'],
    ['text == ":1234567890123456789"', 'match'],
  ] as const)
    test(text, () => assert.equal(ask(text, big), said))
})

test('whatever is compared, the answer is that of JavaScript where the types agree', () => {
  const scalar = fc.oneof(
    fc.integer(),
    fc.integer({ min: -3, max: 3 }),
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }),
    fc.string({ unit: 'grapheme-ascii' }),
    fc.constantFrom('a', 'b'),
    fc.boolean(),
    fc.constant(null),
  )
  const operator = fc.constantFrom('==', '!=', '<', '<=', '>', '>=')
  fc.assert(
    fc.property(scalar, operator, scalar, fc.boolean(), (left, op, right, isNested) => {
      const about = event(isNested ? { o: { left, right } } : { left, right })
      const prefix = isNested ? 'o.' : ''
      const expected = reference(left, op, right)
      assert.equal(ask(`${prefix}left ${op} ${prefix}right`, about), expected)
      // What can never be compared is refused at once.
      if (right !== null && (typeof right !== 'boolean' || op.endsWith('=')))
        assert.equal(ask(`${prefix}left ${op} ${literal(right)}`, about), expected)
      assert.equal(ask(`!(${prefix}left ${op} ${prefix}right)`, about), negated(expected))
    }),
    { numRuns: 500 },
  )
})

type Answer = ReturnType<typeof ask>

function reference(left: unknown, op: string, right: unknown): Answer {
  if (op === '==') return answer(left === right)
  if (op === '!=') return answer(left !== right)
  if (typeof left !== typeof right || left === null || right === null) return 'failed'
  const [a, b] = [left as number, right as number]
  return answer(op === '<' ? a < b : op === '<=' ? a <= b : op === '>' ? a > b : a >= b)
}

function answer(isMatch: boolean): Answer {
  return isMatch ? 'match' : 'no match'
}

function negated(given: Answer): Answer {
  return given === 'failed' ? given : answer(given === 'no match')
}

/** As it would be written in an expression. */
function literal(value: unknown): string {
  if (typeof value !== 'number') return JSON.stringify(value)
  return Number.isInteger(value) ? BigInt(value).toString() : String(value)
}

test('nothing but a refusal comes out of any text, and nothing out of any event', () => {
  const atom = fc.constantFrom(
    ...'a b.c event event.a pubsub_topics 1 -2.5 "x" null true [] [1,"x"] {"k":1}'.split(' '),
    ...'int(a) size(a) string(b) a.size() a.contains("x") type(a) has(event.a)'.split(' '),
    ...'timestamp(a) duration(a) timestamp(1) duration("1s")'.split(' '),
  )
  const { expression } = fc.letrec<{ expression: string }>((tie) => ({
    expression: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      atom,
      fc
        .tuple(
          tie('expression'),
          fc.constantFrom('==', '!=', '<', '>=', '&&', '||', '+', '-', '*', '/', '%', 'in'),
          tie('expression'),
        )
        .map(([left, op, right]) => `(${left} ${op} ${right})`),
      fc
        .tuple(
          tie('expression'),
          fc.constantFrom('all', 'exists', 'exists_one', 'filter', 'map'),
          tie('expression'),
        )
        .map(([list, macro, body]) => `${list}.${macro}(a, ${body})`),
      tie('expression').map((inner) => `!${inner}`),
      tie('expression').map((inner) => `-${inner}`),
      fc.tuple(tie('expression'), tie('expression')).map(([owner, index]) => `${owner}[${index}]`),
      fc
        .tuple(tie('expression'), tie('expression'), tie('expression'))
        .map(([condition, one, other]) => `(${condition} ? ${one} : ${other})`),
    ),
  }))
  const text = fc.oneof(
    expression,
    expression.map((inner) => `dyn(${inner})`),
    expression.map((inner) => `dyn(${inner}) == 1`),
    fc.string(),
    fc.tuple(expression, fc.string()).map((parts) => parts.join('')),
  )
  const payload = fc.record(
    { a: fc.jsonValue(), b: fc.record({ c: fc.jsonValue() }), x: fc.jsonValue() },
    { requiredKeys: [] },
  )
  let taken = 0
  fc.assert(
    fc.property(text, payload, (where, about) => {
      let predicate
      try {
        predicate = new WhereExpressions(LIMITS).parse(where)
      } catch (error) {
        assert.ok(error instanceof PubSubError, String(error))
        assert.doesNotMatch(error.message, /[\r\n\0]/)
        return
      }
      taken++
      assert.equal(typeof predicate.matches(event(about)), 'boolean')
    }),
    { numRuns: 3_000 },
  )
  assert.ok(taken > 100, `only ${taken} of the texts were expressions`)
})

describe('a wrong expression is refused at its column', () => {
  for (const [text, message] of [
    ['a == )', `where: unexpected ')' at column 6: a == >>>)`],
    ['a ==', 'where: unexpected end at column 5: a ==>>>'],
    ['', 'where: unexpected end at column 1: >>>'],
    ['a b', `where: unexpected 'b' at column 3: a >>>b`],
    ['a = 1', `where: unexpected '=' at column 3: a >>>= 1`],
    ['(a == 1', `where: expected ')', found the end at column 8: (a == 1>>>`],
    ['a ? 1', `where: expected ':', found the end at column 6: a ? 1>>>`],
    ['a == "x', 'where: unterminated string at column 6: a == >>>"x'],
    ['a == "😀" &', `where: unexpected '&' at column 10: a == "😀" >>>&`],
    ['1 + "a" == 2', 'where: no such overload: int + string at column 1: >>>1 + "a" == 2'],
    [
      'size(a)',
      'where: the expression is of the type int, and must be true or false at column 1: >>>size(a)',
    ],
    ['nope(a)', 'where: there is no function nope() at column 1: >>>nope(a)'],
    ['a.nope(a)', 'where: there is no method nope() at column 3: a.>>>nope(a)'],
    ['has(a)', 'where: has() takes a member, such as has(event.commit) at column 5: has(>>>a)'],
    [
      'a == 1 && type == "push"',
      'where: no such overload: type == string (type is a name of the language: write event.type for the member of the payload) ' +
        'at column 11: a == 1 && >>>type == "push"',
    ],
    [
      `${'a == 1 && '.repeat(9)}) && ${'a == 1 && '.repeat(9)}a`,
      `where: unexpected ')' at column 91: … && a == 1 && a == 1 && >>>) && a == 1 && a == 1 &&…`,
    ],
    [
      'a == \r\n\0\u2028\u202e',
      String.raw`where: unexpected '\u{0}' at column 8: a == \u{d}\u{a}>>>\u{0}\u{2028}\u{202e}`,
    ],
    ['a == \ud83d', "where: unexpected '\ufffd' at column 6: a == >>>\ufffd"],
  ] as const)
    test(JSON.stringify(text), () => assert.equal(refusal(text), message))

  test('it is a bad query', () => {
    assert.throws(() => new WhereExpressions(LIMITS).parse('a =='), WhereError)
  })
})

describe('what could take any time is refused', () => {
  for (const [text, reason] of [
    ['a.matches("(a+)+$")', /matches\(\) is not served.*use contains\(\)/],
    ['a.split("") == []', /there is no method split\(\)/],
    ['cel.bind(x, a + a, x == a)', /there is no method bind\(\)/],
    ['timestamp(a).getHours("Europe/Berlin") == 1', /takes no time zone/],
    ['evaluator()', /there is no function evaluator\(\)/],
    ['('.repeat(500), /too deeply nested/],
    [`a${'.a'.repeat(400)} == 1`, /too deeply nested/],
    [`${'a.map(x, '.repeat(70)}true${')'.repeat(70)}`, /too deeply nested/],
    ['x'.repeat(1_025), /1025 characters long, the limit is 1024 \(limits\.where_length\)/],
  ] as const)
    test(text.slice(0, 40), () => assert.match(refusal(text), reason))
})

/** Each would go on for minutes, or for ever. */
describe('work beyond the limit is no match, and counted', () => {
  const zeros = Array.from({ length: 50_000 }, () => 0)
  const map = Object.fromEntries(zeros.slice(0, 8_000).map((_, n) => [`k${n}`, n]))
  for (const [text, payload] of [
    ['a.all(x, a.all(y, x == y))', { a: zeros }],
    ['a.exists(x, a.exists(y, a.exists(z, x + y + z == 1)))', { a: zeros }],
    ['a.exists(x, a.exists(y, x.b > y.b))', { a: zeros }],
    ['a.exists_one(x, a.exists_one(y, x == y))', { a: zeros }],
    ['a.map(x, a.map(y, a)).size() == 1', { a: zeros }],
    ['a.filter(x, a.all(y, true)).size() == 1', { a: zeros }],
    ['a.all(x, !(-1.0 in a))', { a: zeros }],
    ['a.all(x, a == b)', { a: zeros, b: zeros }],
    ['!a.exists(x, a.exists(y, x != y))', { a: zeros }],
    ['a.exists(x, int(x) == 1)', { a: zeros.map(() => 'x') }],
    ['m.all(x, m.all(y, true))', { m: map }],
    ['[1, 2, 3].all(x, m.size() > 1)', { m: map }],
    ['a.all(x, s.size() > 1)', { a: zeros, s: 'é'.repeat(30_000) }],
    ['a.all(x, !s.contains(t))', { a: zeros, s: 'ab'.repeat(20_000), t: `${'ba'.repeat(9_000)}!` }],
    ['a.all(v, a.all(w, a.all(x, a.all(y, a.all(z, true)))))', { a: [1, 2, 3, 4, 5, 6] }],
    [`[a]${'.map(x, x + x)'.repeat(60)}.size() == 1`, { a: [0, 1] }],
    [`[s]${'.map(x, x + x)'.repeat(60)}.size() == 1`, { s: 'ab' }],
  ] as const)
    test(text.slice(0, 60), () => assert.equal(ask(text, event(payload)), 'failed'))
})

test('the limit counts for each evaluation by itself', () => {
  const list = Array.from({ length: 1_500 }, (_, n) => n)
  const where = new WhereExpressions(LIMITS)
  const predicate = where.parse('a.exists(x, x == 1499)')
  for (let n = 0; n < 20; n++) assert.ok(predicate.matches(event({ a: list })))
  assert.ok(!predicate.matches(event({ a: [...list, ...list].fill(0) })))
  assert.equal(where.failures, 1)
  assert.ok(predicate.matches(event({ a: list })))
})

test('a loop over everything that is in an event is within the limit, whatever its size', () => {
  for (const length of [1, 10, 100, 800]) {
    const a = Array.from({ length }, () => 'ab')
    assert.equal(ask('!a.exists(x, x.startsWith("x") && x != "y")', event({ a })), 'match')
  }
})

test('a large text can be searched', () => {
  const body = `${'lorem ipsum '.repeat(8_000)}needle`
  assert.equal(ask('body.contains("needle") && body.size() > 1', event({ body })), 'match')
})

test('payloads of ever new shapes leave nothing behind', () => {
  const where = new WhereExpressions(LIMITS)
  const predicates = [where.parse('a == "x"'), where.parse('a == b'), where.parse('size(a) == 9')]
  const before = process.memoryUsage().heapUsed
  for (let n = 0; n < 100; n++)
    for (const predicate of predicates)
      predicate.matches(event({ a: shapeOf(n), b: shapeOf(n + 1) }))
  // The library alone would keep 1.4 MB for each.
  assert.ok(process.memoryUsage().heapUsed - before < 50_000_000)
})

/** Lists and maps in each other, 300 deep, in an order of its own for each number. */
function shapeOf(number: number): unknown {
  let shape: unknown = 0
  let random = number + 1
  for (let level = 0; level < 300; level++) {
    random = (random * 48_271) % 2_147_483_647
    shape = random % 2 === 0 ? [shape] : { k: shape }
  }
  return shape
}

test('an expression is compiled once, however many streams have it', () => {
  const where = new WhereExpressions(LIMITS)
  assert.equal(where.parse('a == 1'), where.parse('a == 1'))
})

test('equal keys mean equal expressions, to the letter', () => {
  const where = new WhereExpressions(LIMITS)
  const keys = ['a == 1', 'a == 2', 'a==1'].map((text) => where.parse(text).key)
  assert.equal(new Set(keys).size, 3)
  assert.equal(new WhereExpressions(LIMITS).parse('a == 1').key, keys[0])
})

test('expressions that nobody uses any more are forgotten, and work when they come again', () => {
  const where = new WhereExpressions(LIMITS)
  const first = where.parse('a == 0')
  for (let n = 1; n <= 1_000; n++) where.parse(`a == ${n}`)
  assert.notEqual(where.parse('a == 0'), first)
  assert.ok(first.matches(event({ a: 0 })) && where.parse('a == 0').matches(event({ a: 0 })))
})

test('one that is too long is told the limit before it is read', () => {
  assert.throws(() => new WhereExpressions(LIMITS).parse('('.repeat(2_000)), LimitExceededError)
})
