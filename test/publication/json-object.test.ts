import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LimitExceededError, NotAnObjectError, NotJsonError } from '../../src/publication/errors.ts'
import { readJsonObject } from '../../src/publication/json-object.ts'

const DEPTH_MAX = 900

function read(text: string, depthMax = DEPTH_MAX): string {
  return readJsonObject(Buffer.from(text), depthMax)
}

const OWN_NAMES = ['pubsub_timestamp', 'pubsub_topics', 'pubsub_path', 'pubsub_cursor']

test('an object keeps the text it was published in', () => {
  const texts = [
    '{}',
    '{"a":1}',
    '{ "b" : [ 1 , 2 ] ,\t"a" : null }',
    '{"big":123456789012345678901234567890,"float":1.0,"minus":-0,"exponent":1E+2,"huge":1e400}',
    '{"z":1,"a":2,"10":3,"9":4}',
    '{"a":1,"a":2,"a":1}',
    '{"__proto__":{"admin":true},"constructor":1}',
    '{"lone":"\\ud800","pair":"\\ud83d\\ude00","other":"\\udfff\\ud800"}',
    '{"escapes":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u0000"}',
    '{"raw":"é漢😀\u007f\u0080\u2028\ufeff\uffff"}',
    '{"":{"":""}}',
    '{"brackets":"}{][","quotes":"\\"}\\\\"}',
    '{"stillalive":1}',
  ]
  for (const text of texts) assert.equal(read(text), text)
})

test('white space around the object is cut', () => {
  assert.equal(read(' \t\r\n{"a": 1}\n \r\t'), '{"a": 1}')
  assert.equal(read('\n{ }\n'), '{ }')
})

test('raw line breaks become spaces, escaped ones stay', () => {
  assert.equal(read('{\n  "a": "\\n",\r\n\t"b": 2\r}'), '{   "a": "\\n",  \t"b": 2 }')
})

test('what is no JSON is refused as such', () => {
  const texts = [
    '',
    ' ',
    'hello',
    'a=1&b=2',
    '{',
    '}',
    '{"a":1',
    '{"a":1}}',
    '{"a":1}{}',
    '{"a":1,}',
    '{,}',
    '{a:1}',
    "{'a':1}",
    '{"a" 1}',
    '{"a":}',
    '{"a":01}',
    '{"a":1.}',
    '{"a":.5}',
    '{"a":+1}',
    '{"a":0x1F}',
    '{"a":NaN}',
    '{"a":Infinity}',
    '{"a":-Infinity}',
    '{"a":undefined}',
    '{"a":True}',
    '{"a":"\n"}',
    '{"a":"\0"}',
    '{"a":"\\x41"}',
    '{"a":"\\u12"}',
    '{"a":"',
    '{"a":"\\',
    '{"a":1}//',
    '{"a":1}\0',
    '\u00a0{"a":1}',
    '\f{"a":1}',
    '{"a":1}\u2028',
    '[1,]',
    '"',
    // Broken only inside or beside members that would be taken out.
    '{"pubsub_path":}',
    '{"pubsub_path":NaN,"a":1}',
    '{"pubsub_path":1,}',
    '{,"pubsub_path":1}',
    '{"pubsub_path":"}',
  ]
  for (const text of texts) assert.throws(() => read(text), NotJsonError, text)
})

test('a byte order mark is refused', () => {
  const body = Buffer.from('efbbbf7b7d', 'hex')
  assert.throws(() => readJsonObject(body, DEPTH_MAX), NotJsonError)
})

test('bytes that are no UTF-8 are refused wherever they stand', () => {
  const wrong = ['ff', '80', 'c3', 'c080', 'e282', 'eda080', 'f4908080', 'f8888080', 'fffe7b007d00']
  for (const hex of wrong) {
    const bytes = Buffer.from(hex, 'hex')
    for (const body of [bytes, Buffer.concat([Buffer.from('{"a":"'), bytes, Buffer.from('"}')])])
      assert.throws(() => readJsonObject(body, DEPTH_MAX), NotJsonError, hex)
  }
})

test('of a body that is part of a larger buffer, only the part counts', () => {
  const received = Buffer.from('12{"a":1}34')
  assert.equal(readJsonObject(received.subarray(2, 9), DEPTH_MAX), '{"a":1}')
})

test('JSON that is no object is told apart from what is no JSON', () => {
  for (const text of ['[]', '[{"a":1}]', '1', '1e400', '"{}"', 'null', ' true ', '"pubsub_path"'])
    assert.throws(() => read(text), NotAnObjectError, text)
})

test("members of the server's own names are removed", () => {
  const cases: readonly (readonly [string, string])[] = [
    ['{"pubsub_path":"/x","a":1}', '{"a":1}'],
    ['{"a":1,"pubsub_path":"/x"}', '{"a":1}'],
    ['{"a":1,"pubsub_path":"/x","b":2}', '{"a":1,"b":2}'],
    ['{ "a": 1, "pubsub_path": "/x", "b": 2 }', '{ "a": 1, "b": 2 }'],
    ['{"pubsub_path":1}', '{}'],
    ['{ "pubsub_path" : 1 }', '{}'],
    ['{"pubsub_path":1,"pubsub_path":2,"a":1,"pubsub_path":3}', '{"a":1}'],
    [`{${OWN_NAMES.map((name) => `"${name}":1`).join()}}`, '{}'],
    ['{"a":1,"pubsub_topics":["x",{"y":"},]"}],"b":2}', '{"a":1,"b":2}'],
    ['{"a":1,"pubsub_cursor":{"pubsub_path":[1,2]},"b":2}', '{"a":1,"b":2}'],
    ['{"pubsub_path":"a\\"},\\\\","b":2}', '{"b":2}'],
    ['{"\\u0070ubsub_path":1,"a":1}', '{"a":1}'],
    ['{"pubsub\\u005fpath":1,"a":1}', '{"a":1}'],
    ['{"pubsub\\u005Fpath":1,"a":1}', '{"a":1}'],
    ['{"pubsub_pat\\u0068":1,"a":1}', '{"a":1}'],
    ['{"a":1\n,\n"pubsub_path"\n:\n1\n}', '{"a":1 }'],
  ]
  for (const [published, expected] of cases) assert.equal(read(published), expected, published)
})

test('members with similar names, nested ones and strings stay', () => {
  const texts = [
    '{"pubsub_":1,"pubsub_paths":2,"Pubsub_path":3,"pubsub_path ":4,"xpubsub_path":5,"pubsub_id":6}',
    '{"a":{"pubsub_path":1},"b":[{"pubsub_cursor":1}]}',
    '{"a":"pubsub_path","b":"\\"pubsub_path\\":1"}',
    '{"pubsub_path\\u0000":1,"\\\\u0070ubsub_path":2,"pubsub\\\\u005fpath":3}',
    '{"pubsub_p\\u00e4th":1,"a":"\\u0070ubsub_path"}',
    '{"a\\"pubsub_path":1}',
  ]
  for (const text of texts) assert.equal(read(text), text)
})

test('an object as deep as the limit is accepted, one level more is refused and says why', () => {
  const deepest = `${'{"a":'.repeat(DEPTH_MAX)}1${'}'.repeat(DEPTH_MAX)}`
  assert.equal(read(deepest), deepest)
  assert.throws(
    () => read(`{"a":${deepest}}`),
    (error) => error instanceof LimitExceededError && /900.*limits\.json_depth/.test(error.message),
  )
  assert.throws(() => read('{"a":[[]]}', 2), LimitExceededError)
  assert.equal(read('{"a":[[]]}', 3), '{"a":[[]]}')
  assert.equal(read('{"a":[[],[],{},{}]}', 3), '{"a":[[],[],{},{}]}')
})

test('brackets in strings are no nesting', () => {
  const text = JSON.stringify({ a: '{['.repeat(5_000), b: '\\"{['.repeat(5_000) })
  assert.equal(read(text), text)
})

test('bodies of nothing but brackets or quotes are refused without harm', () => {
  for (const opening of ['[', '{"a":', '[{"a":', '{'])
    assert.throws(() => read(opening.repeat(100_000)), LimitExceededError, opening)
  const closed = `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
  assert.throws(() => read(closed), LimitExceededError)
  for (const text of [']', '"', '\\"', '"\\'])
    assert.throws(() => read(text.repeat(100_000)), NotJsonError, text)
})

/** JSON texts as publishers may write them: white space anywhere, escapes at random, names of ours among others. */
const whiteSpace = fc
  .array(fc.constantFrom(' ', '\t', '\n', '\r'), { maxLength: 2 })
  .map((parts) => parts.join(''))

const spelling = (names: fc.Arbitrary<string>) =>
  fc
    .tuple(names, fc.infiniteStream(fc.constantFrom('raw', 'raw', 'raw', 'lower', 'upper')))
    .map(([name, ways]) => {
      const units = name.split('').map((unit) => {
        const way = ways.next().value
        const hex = unit.charCodeAt(0).toString(16).padStart(4, '0')
        if (way === 'lower') return `\\u${hex}`
        if (way === 'upper') return `\\u${hex.toUpperCase()}`
        return JSON.stringify(unit).slice(1, -1)
      })
      return `"${units.join('')}"`
    })

const anyName = fc.oneof(
  fc.constantFrom(...OWN_NAMES, 'pubsub_', 'pubsub_id', '__proto__', 'a', ''),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('},{', '"', '\\', '\\"', ':', '"pubsub_path":1'),
)

const { value: anyValue, members: anyMembers } = fc.letrec<{
  value: string
  members: readonly (readonly [string, string])[]
}>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom('null', 'true', '-0', '1.0', '1e400', '12345678901234567890', '[]', '{}'),
    spelling(anyName),
    fc.array(tie('value'), { maxLength: 3 }).map((values) => `[${values.join()}]`),
    tie('members').map(objectOf),
  ),
  members: fc.array(
    fc
      .tuple(whiteSpace, spelling(anyName), whiteSpace, whiteSpace, tie('value'), whiteSpace)
      .map(([a, name, b, c, value, d]) => [a + name + b, c + value + d] as const),
    { maxLength: 5 },
  ),
}))

function objectOf(members: readonly (readonly [string, string])[]): string {
  return `{${members.map(([name, value]) => `${name}:${value}`).join()}}`
}

test('whatever the object, exactly the own members go and every other keeps its text', () => {
  const property = fc.property(anyMembers, whiteSpace, whiteSpace, (members, before, after) => {
    const kept = members.filter(([name]) => !OWN_NAMES.includes(String(JSON.parse(name))))
    const expected = objectOf(kept).replaceAll(/[\r\n]/g, ' ')
    assert.equal(read(before + objectOf(members) + after), expected)
  })
  fc.assert(property, { numRuns: 2_000 })
})

/** The obvious reference for valid JSON. */
function verdict(text: string, depthMax: number): string {
  const value: unknown = JSON.parse(text)
  if (depthOf(text) > depthMax) return 'too deep'
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? 'object'
    : 'no object'
}

/** Of the text, because a value hides members that were given twice. With the strings cut out, all brackets count. */
function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  for (const character of text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '')) {
    if (character === '{' || character === '[') deepest = Math.max(deepest, ++depth)
    if (character === '}' || character === ']') depth--
  }
  return deepest
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function outcome(text: string, depthMax: number): string {
  try {
    read(text, depthMax)
    return 'object'
  } catch (error) {
    if (error instanceof NotJsonError) return 'not JSON'
    if (error instanceof NotAnObjectError) return 'no object'
    if (error instanceof LimitExceededError) return 'too deep'
    throw error
  }
}

test('whatever the text, JSON.parse and the depth decide', () => {
  const fragments = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    '1',
    '-',
    '.',
    'e',
    ' ',
    '\n',
    'null',
    '"a":',
    '{}',
    '\u00e9',
    '\ufeff',
  )
  const anyText = fc.oneof(
    anyValue,
    fc.array(fragments, { maxLength: 12 }).map((parts) => parts.join('')),
    fc
      .tuple(anyMembers.map(objectOf), fc.nat(), fc.nat(2), fragments)
      .map(([text, place, removed, inserted]) => {
        const at = place % (text.length + 1)
        return text.slice(0, at) + inserted + text.slice(at + removed)
      }),
  )
  const property = fc.property(anyText, fc.integer({ min: 1, max: 5 }), (text, depthMax) => {
    const found = outcome(text, depthMax)
    if (isJson(text)) assert.equal(found, verdict(text, depthMax))
    else assert.match(found, /^(not JSON|too deep)$/)
  })
  fc.assert(property, { numRuns: 5_000 })
})

test('whatever the bytes, only strict UTF-8 is accepted', () => {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const anyBytes = fc.array(
    fc.constantFrom(0x41, 0x7f, 0x80, 0xbf, 0xc3, 0xe0, 0xed, 0xf0, 0xf4, 0xff),
    {
      maxLength: 6,
    },
  )
  const property = fc.property(anyBytes, (bytes) => {
    const body = Buffer.concat([Buffer.from('{"a":"'), Buffer.from(bytes), Buffer.from('"}')])
    let expected: string | null = null
    try {
      expected = decoder.decode(body)
    } catch {}
    if (expected === null) assert.throws(() => readJsonObject(body, DEPTH_MAX), NotJsonError)
    else assert.equal(readJsonObject(body, DEPTH_MAX), expected)
  })
  fc.assert(property, { numRuns: 2_000 })
})
