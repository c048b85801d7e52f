import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { ConfigError } from '../../src/settings/config-error.ts'
import type { YamlNode } from '../../src/settings/yaml-node.ts'
import { parseYaml } from '../../src/config/yaml.ts'

/** A tree as plain values; maps as lists of pairs, so that no key is special. */
type Plain = string | null | Plain[] | { pairs: [string, Plain][] }

function plain(node: YamlNode): Plain {
  if (node.type === 'scalar') return node.text
  if (node.type === 'list') return node.items.map(plain)
  return { pairs: Array.from(node.entries, ([key, { value }]) => [key, plain(value)]) }
}

function read(text: string): Plain {
  return plain(parseYaml(text, 'f.yaml').root)
}

function pairs(...entries: [string, Plain][]): Plain {
  return { pairs: entries }
}

function refusal(text: string): string {
  try {
    parseYaml(text, 'f.yaml')
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    return error.message
  }
  return assert.fail(`accepted: ${text.slice(0, 200)}`)
}

test('scalars come as text as written', () => {
  const scalars = [
    '007',
    '0x1F',
    '1.0',
    '1e3',
    '0o17',
    'yes',
    'No',
    'true',
    '.inf',
    '2001-01-01',
    '1_000',
    '12:30',
  ]
  for (const scalar of scalars) assert.deepEqual(read(`a: ${scalar}`), pairs(['a', scalar]))
  assert.deepEqual(read('[007, "007", \'007\', !!str 007, !!int 007, ! 007]'), Array(6).fill('007'))
})

test('any text of letters, digits and signs comes back as written', () => {
  const written = fc
    .stringMatching(/^[0-9A-Za-z_.+][0-9A-Za-z_.+-]{0,20}$/)
    .filter((text) => !/^(null|Null|NULL)$/.test(text) && !text.startsWith('...'))
  fc.assert(
    fc.property(written, (text) => {
      assert.deepEqual(read(`${text}: [${text}]\n`), pairs([text, [text]]))
    }),
  )
})

test('nothing, ~ and null are null, and quoted they are text', () => {
  assert.deepEqual(read('[~, null, Null, NULL, !!null x]'), [null, null, null, null, null])
  assert.deepEqual(read('a:\nb: !!str\n'), pairs(['a', null], ['b', '']))
  assert.deepEqual(read('["~", \'null\', "", nUll]'), ['~', 'null', '', 'nUll'])
})

test('a file that is empty or holds only comments is null', () => {
  for (const text of ['', '\n', '# nothing\n', '---\n', '---\n...\n', '\uFEFF# nothing\n'])
    assert.equal(read(text), null)
})

test('a tree written as JSON is read as it is', () => {
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.string({ unit: 'binary' }),
      fc.constant(null),
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(fc.string(), tie('tree'), { maxKeys: 4 }),
    ),
  }))
  const expected = (value: unknown): Plain => {
    if (value === null || typeof value === 'string') return value
    if (Array.isArray(value)) return value.map(expected)
    return pairs(
      ...Object.entries(Object(value)).map(([key, each]): [string, Plain] => [key, expected(each)]),
    )
  }
  fc.assert(
    fc.property(tree, (value) => {
      const json = JSON.stringify(value).replace(
        /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g,
        (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
      )
      assert.deepEqual(read(json), expected(value))
    }),
  )
})

test('aliases stand for what their anchor names, the latest of that name', () => {
  assert.deepEqual(
    read('a: &x [1]\nb: *x\nc: &x 2\nd: *x\ne: {*x : *x}'),
    pairs(['a', ['1']], ['b', ['1']], ['c', '2'], ['d', '2'], ['e', pairs(['2', '2'])]),
  )
})

test('a merge key adds what the map has not itself, wherever it stands', () => {
  assert.deepEqual(
    read('base: &base {a: 1, b: 2}\nuser: {a: own, <<: *base}'),
    pairs(['base', pairs(['a', '1'], ['b', '2'])], ['user', pairs(['a', 'own'], ['b', '2'])]),
  )
})

test('of merged maps the first in a list wins, and the last merge key', () => {
  assert.deepEqual(read('{<<: [{a: 1}, {a: 2, b: 3}]}'), pairs(['a', '1'], ['b', '3']))
  assert.deepEqual(read('{<<: {a: 1}, <<: {a: 2}}'), pairs(['a', '2']))
  assert.deepEqual(read('{"<<": {a: 1}}'), pairs(['<<', pairs(['a', '1'])]))
  assert.match(refusal('<<: 5'), /line 1, column 5: << can only merge a map or a list of maps/)
  assert.match(refusal('<<: [{}, x]'), /<< can only merge/)
})

test('a merged map can be merged again', () => {
  const text = 'a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b, z: 3}'
  const root = read(text)
  assert.deepEqual(
    root,
    pairs(
      ['a', pairs(['x', '1'])],
      ['b', pairs(['y', '2'], ['x', '1'])],
      ['c', pairs(['z', '3'], ['y', '2'], ['x', '1'])],
    ),
  )
})

test('of a key given twice the last counts, and the lines of both are told', () => {
  const { root, duplicateKeys } = parseYaml('a: 1\nb:\n  c: 2\n  "c": 3\na: 4\n', 'f.yaml')
  assert.deepEqual(plain(root), pairs(['a', '4'], ['b', pairs(['c', '3'])]))
  assert.deepEqual(duplicateKeys, [
    { key: 'c', line: 4, firstLine: 3, depth: 2 },
    { key: 'a', line: 5, firstLine: 1, depth: 1 },
  ])
})

test('a key replaced by itself from a merge is no duplicate', () => {
  assert.deepEqual(parseYaml('{<<: {a: 1}, a: 2}', 'f.yaml').duplicateKeys, [])
})

test('keys that name parts of JavaScript objects are ordinary', () => {
  const keys = ['__proto__', 'constructor', 'hasOwnProperty', 'toString']
  assert.deepEqual(
    read(keys.map((key) => `${key}: {polluted: 1}`).join('\n')),
    pairs(...keys.map((key): [string, Plain] => [key, pairs(['polluted', '1'])])),
  )
  read('{<<: {__proto__: {polluted: 1}}}')
  assert.equal(Reflect.get({}, 'polluted'), undefined)
})

test('a key may be the word null or an empty text, but not absent, a list or a map', () => {
  assert.deepEqual(read('null: 1\n"": 2\n~: 3\n'), pairs(['null', '1'], ['', '2'], ['~', '3']))
  for (const text of [': 1', '? [a]\n: 1', '{{a: 1}: 1}', '? \n: 1', 'a: &n ~\n*n : 1'])
    assert.match(refusal(text), /a key must be text/)
})

test('nodes know their lines, whatever ends a line', () => {
  for (const newline of ['\n', '\r\n', '\r']) {
    const { root } = parseYaml(
      ['# top', 'a:', '  - x', '  - "y', '    z"', '  - w'].join(newline),
      'f.yaml',
    )
    assert.ok(root.type === 'map')
    const entry = root.entries.get('a')
    assert.ok(entry?.value.type === 'list')
    assert.equal(entry.line, 2)
    assert.deepEqual(
      entry.value.items.map((item) => item.line),
      [3, 4, 6],
    )
  }
})

test('broken YAML is refused in one line with file, line and column', () => {
  assert.match(
    refusal('a: 1\nb: [1, 2\nc: 3\n'),
    /^f\.yaml, line 3, column \d+: this is not valid YAML: [^\n]+$/,
  )
  assert.match(refusal('a: "x'), /^f\.yaml, line 1, column \d+: /)
  assert.match(refusal('a: 1\n\tb: 2'), /^f\.yaml, line 2, column \d+: /)
  assert.match(refusal('a: \0'), /null byte/)
  assert.match(refusal('a: 1\n--- \nb: 2'), /a second document follows/)
})

test('no error repeats what may be a password', () => {
  for (const password of [
    '*s3cret',
    '!s3cret',
    '!s3cret^x',
    '!s3cret!x y',
    '!<s3cret',
    '"s3cret',
    '{s3cret',
    '@s3cret',
    '&s3cret *s3cret',
    '%s3cret "',
    '!!s3cret x',
    '"\\s3cret"',
    '"s3cret" x',
    '`s3cret',
  ])
    assert.doesNotMatch(refusal(`bob:\n  password: ${password}\n`), /s3cret/)
  for (const directive of ['%TAG !s3cret', '%TAG !s3cret! a\n%TAG !s3cret! b', '%YAML s3cret'])
    assert.doesNotMatch(refusal(`${directive}\n---\na: 1`), /s3cret/)
})

test('tags that are not plain YAML are refused', () => {
  for (const text of [
    '!!python/object x',
    '!!binary aGk=',
    '!!set {a}',
    '!!omap [a: 1]',
    '!own {a: 1}',
    '!!map [a]',
  ])
    assert.match(refusal(`a: ${text}`), /line 1, column \d+: this tag is not supported/)
  assert.deepEqual(read('!!map {a: !!seq [b]}'), pairs(['a', ['b']]))
})

test('an alias inside what it stands for is refused', () => {
  for (const text of ['&a [*a]', 'a: &a {b: [*a]}', 'a: &a {<<: *a}', '&a {*a : x}'])
    assert.match(refusal(text), /this alias stands inside the very value it stands for/)
  assert.match(refusal('a: *b'), /this alias has no anchor before it/)
})

test('aliases that multiply are refused at the limit, at once', () => {
  const lists = Array.from(
    { length: 60 },
    (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}, *a${i}]`,
  )
  assert.match(
    refusal(`a0: &a0 x\n${lists.join('\n')}`),
    /more than 4000000 entries once its aliases are followed/,
  )
  const maps = Array.from(
    { length: 60 },
    (_, i) => `a${i + 1}: &a${i + 1} {x: *a${i}, y: *a${i}, z: *a${i}}`,
  )
  assert.match(refusal(`a0: &a0 x\n${maps.join('\n')}`), /more than 4000000 entries/)
  const wide = Array.from({ length: 5_000 }, (_, i) => `k${i}: v`).join(', ')
  assert.match(
    refusal(`a: &a {${wide}}\nb: {${'<<: *a, '.repeat(5_000)}}`),
    /more than 4000000 entries/,
  )
})

test('a long chain of aliases is refused before it is too deep to walk', () => {
  const chain = Array.from({ length: 20_000 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}]`)
  assert.match(refusal(`a0: &a0 x\n${chain.join('\n')}`), /more than 4000000 entries/)
  read(`a0: &a0 x\n${chain.slice(0, 1_000).join('\n')}`)
})

test('nesting deeper than 64 is refused', () => {
  for (const text of [
    '['.repeat(100_000),
    '{a: '.repeat(100_000),
    '- '.repeat(100_000),
    '? '.repeat(100_000),
  ])
    assert.match(refusal(text), /maps and lists are nested deeper than 64/)
  read(`${'['.repeat(50)}${']'.repeat(50)}`)
})

test('any text is either read or refused as configuration', () => {
  const piece = fc.constantFrom(
    '[',
    ']',
    '{',
    '}',
    ': ',
    '? ',
    '- ',
    '&a ',
    '*a',
    '!!str ',
    '\n',
    '\n  ',
    '"',
    "'",
    '|\n',
    'a',
    '<<: ',
    ',',
    '#',
    '---\n',
    '\t',
    '~',
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
  )
  fc.assert(
    fc.property(text, (yaml) => {
      try {
        plain(parseYaml(yaml, 'f.yaml').root)
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error))
        assert.match(error.message, /^f\.yaml, line \d+, column \d+: [^\n]+$/)
      }
    }),
    { numRuns: 2_000 },
  )
})
