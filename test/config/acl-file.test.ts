import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import { loadAclFile, type AclFile, type AclUser } from '../../src/config/acl-file.ts'
import { ConfigError } from '../../src/settings/config-error.ts'
import { TemporaryFiles } from './temporary-files.ts'

type UserWithoutPlace = Omit<AclUser, 'where'>

function load(text: string): Omit<AclFile, 'users'> & { users: readonly UserWithoutPlace[] } {
  using files = new TemporaryFiles()
  const { users, warnings, missing } = loadAclFile(files.write('acl.yaml', text))
  return {
    users: users.map(({ where: _where, ...user }) => user),
    missing,
    warnings: warnings.map((each) => each.replace(/^.*acl\.yaml/, 'acl.yaml')),
  }
}

function loadUser(text: string): UserWithoutPlace {
  const { users, warnings } = load(text)
  assert.deepEqual(warnings, [])
  return users[0] ?? assert.fail('no user')
}

function refusal(text: string): string {
  try {
    load(text)
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    return error.message.replace(/^.*acl\.yaml/, 'acl.yaml')
  }
  return assert.fail(`accepted: ${text.slice(0, 200)}`)
}

test('the shipped file is read without a warning', () => {
  const { users, warnings, missing } = loadAclFile(
    fileURLToPath(new URL('../../pubsub_acl.yaml', import.meta.url)),
  )
  assert.deepEqual([warnings, missing], [[], false])
  assert.deepEqual(users, [
    {
      name: 'testuser',
      where: users[0]!.where,
      password: 'foobar',
      segments: new Map([['example commits', ['commit', 'example']]]),
      secureTopics: ['commit'],
    },
  ])
})

test('a user knows where its name stands', () => {
  using files = new TemporaryFiles()
  const file = files.write('acl.yaml', 'alice: {password: a}\n\nbob:\n  password: b\n')
  assert.deepEqual(
    loadAclFile(file).users.map(({ name, where }) => `${name}: ${where}`),
    [`alice: ${file}, line 1, column 1`, `bob: ${file}, line 3, column 1`],
  )
})

test('a missing file means no users, with a warning', () => {
  using files = new TemporaryFiles()
  const { users, warnings, missing } = loadAclFile(join(files.directory, 'acl.yaml'))
  assert.deepEqual([users, missing], [[], true])
  assert.match(
    warnings.join(),
    /does not exist, so nobody can log in and nobody sees private events/,
  )
})

test('a file that is there and cannot be read is refused', () => {
  using files = new TemporaryFiles()
  assert.throws(() => loadAclFile(files.directory), /cannot be read: EISDIR/)
  assert.throws(() => loadAclFile('/dev/zero'), /is larger than/)
  assert.deepEqual(loadAclFile('/dev/null'), { users: [], warnings: [], missing: false })
})

test('a file that is empty or holds only comments means no users', () => {
  for (const text of ['', '# nobody\n', '---\n', '~', '{}'])
    assert.deepEqual(load(text), { users: [], warnings: [], missing: false })
})

test('a file that is broken or no map is refused with its line', () => {
  assert.match(
    refusal('bob: {}\nalice: [1'),
    /^acl\.yaml, line \d+, column \d+: this is not valid YAML/,
  )
  assert.match(
    refusal('# users\n- bob\n'),
    /^acl\.yaml, line 2, column \d+: the file must be a map, not a list/,
  )
  assert.match(refusal('bob'), /^acl\.yaml, line 1, column \d+: the file must be a map, not text/)
})

test('names, passwords, segments and topics are text as written', () => {
  assert.deepEqual(loadUser('0x1F: {password: 007, acl: {1.0: [0o7, yes]}, topics: [1e3, "~"]}'), {
    name: '0x1F',
    password: '007',
    segments: new Map([['1.0', ['0o7', 'yes']]]),
    secureTopics: ['1e3', '~'],
  })
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9_+][0-9A-Fa-fxo_.+-]{0,12}$/), (written) => {
      const user = loadUser(
        `${written}: {password: ${written}, acl: {${written}: [${written}]}, topics: [${written}]}`,
      )
      assert.deepEqual(user, {
        name: written,
        password: written,
        segments: new Map([[written, [written]]]),
        secureTopics: [written],
      })
    }),
  )
})

test('an empty or missing password is none, and a quoted tilde is one', () => {
  for (const entry of ['{}', '{password: }', '{password: ~}', '{password: null}', '{password: ""}'])
    assert.equal(loadUser(`bob: ${entry}`).password, null)
  assert.equal(loadUser('bob: {password: "~"}').password, '~')
})

test('a user may have the empty name, or one that JavaScript knows', () => {
  assert.equal(loadUser('"": {password: x}').name, '')
  const { users } = load(
    '__proto__: {password: x, acl: {__proto__: [a]}}\nconstructor: {password: y}',
  )
  assert.deepEqual(
    users.map(({ name, password }) => [name, password]),
    [
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ],
  )
  assert.deepEqual(users[0]?.segments.get('__proto__'), ['a'])
})

test('anchors, aliases and merge keys work', () => {
  const { users, warnings } = load(
    'base: &base\n  acl: &acl {commits: [commit]}\n  topics: &topics [commit]\nbob: {<<: *base, password: b}\nalice: {acl: *acl, topics: *topics, password: a}\n',
  )
  assert.deepEqual(warnings, [])
  for (const user of users) {
    assert.deepEqual(user.segments, new Map([['commits', ['commit']]]))
    assert.deepEqual(user.secureTopics, ['commit'])
  }
})

test('acl and topics may be left out or empty, and a segment may have no topics', () => {
  const nothing = { name: 'bob', password: 'x', segments: new Map(), secureTopics: [] }
  for (const rest of ['', ', acl: , topics: ', ', acl: {}, topics: []'])
    assert.deepEqual(loadUser(`bob: {password: x${rest}}`), nothing)
  assert.deepEqual(loadUser('bob: {acl: {all: []}}').segments, new Map([['all', []]]))
})

test('a user given twice is told by name, other keys only by line', () => {
  const { users, warnings } = load(
    'bob: {password: a}\nalice: {}\nbob:\n  password: {s3cret: 1, s3cret: 2}\n',
  )
  assert.equal(users.length, 2)
  assert.match(
    warnings.join('\n'),
    /acl\.yaml, line 3: user "bob" is given again \(first on line 1\)\. The last one counts/,
  )
  assert.match(warnings.join('\n'), /acl\.yaml, line 4: a key is given again \(first on line 4\)/)
  assert.doesNotMatch(warnings.join('\n'), /s3cret/)
})

test('a broken entry takes all rights from its user and none from others', () => {
  const broken = [
    'acl: x',
    'acl: [a]',
    'acl: {a: [b], c: d}',
    'acl: {a: ~}',
    'acl: {a: {b: c}}',
    'acl: {a: [~]}',
    'acl: {a: [[b]]}',
    'topics: x',
    'topics: {a: b}',
    'topics: [~]',
    'topics: [{a: b}]',
  ]
  for (const part of broken) {
    const sound = part.startsWith('acl') ? 'topics: [t]' : 'acl: {s: [t]}'
    const { users, warnings } = load(
      `alice: {password: a, acl: {s: [t]}}\nbob: {password: b, ${sound}, ${part}}\n`,
    )
    assert.deepEqual(users, [
      { name: 'alice', password: 'a', segments: new Map([['s', ['t']]]), secureTopics: [] },
      { name: 'bob', password: 'b', segments: new Map(), secureTopics: [] },
    ])
    assert.equal(warnings.length, 1)
    assert.match(
      warnings[0] ?? '',
      /^acl\.yaml, line 2, column \d+: bob\.(acl|topics)\S* must be .*\. User "bob" gets no rights$/,
    )
  }
})

test('a user with a broken password has none, and no rights', () => {
  for (const password of ['[s3cret]', '{s3cret: s3cret}', '{s3cret}']) {
    const { users, warnings } = load(`bob: {password: ${password}, acl: {s: [t]}, topics: [t]}`)
    assert.deepEqual(users, [
      { name: 'bob', password: null, segments: new Map(), secureTopics: [] },
    ])
    assert.match(
      warnings.join(),
      /^acl\.yaml, line 1, column \d+: bob\.password must be text, not a (map|list)\. User "bob" gets no rights$/,
    )
    assert.doesNotMatch(warnings.join(), /s3cret/)
  }
})

test('a user who is no map has no password and no rights', () => {
  for (const entry of ['~', 's3cret', '[s3cret]', '"password: s3cret"']) {
    const { users, warnings } = load(`bob: ${entry}\nalice: {password: a}`)
    assert.deepEqual(
      users.map(({ name, password }) => [name, password]),
      [
        ['bob', null],
        ['alice', 'a'],
      ],
    )
    assert.match(
      warnings.join(),
      /^acl\.yaml, line 1, column \d+: bob must be a map, not (empty|text|a list)\. User "bob" gets no rights$/,
    )
  }
})

test('an unknown key of a user is told without its text', () => {
  const { users, warnings } = load('bob:\n  password: a\n  s3cret: b\n')
  assert.equal(users[0]?.password, 'a')
  assert.deepEqual(warnings, [
    'acl.yaml, line 3: user "bob" has an unknown key here, not one of password, acl, topics. It is ignored',
  ])
})

test('aliases that multiply are refused with the limit', () => {
  const topics = `[${'a, '.repeat(50_000)}]`
  const users = Array.from({ length: 1_000 }, (_, i) => `u${i}: {acl: {a: *x}}`)
  assert.match(
    refusal(`x: &x ${topics}\n${users.join('\n')}`),
    /line \d+, column \d+: the file has more than 4000000 entries/,
  )
  assert.match(
    refusal('bob: &a {acl: *a}'),
    /this alias stands inside the very value it stands for/,
  )
})

test('many broken users are told briefly', () => {
  const { users, warnings } = load(Array.from({ length: 1_000 }, (_, i) => `u${i}: x`).join('\n'))
  assert.equal(users.length, 1_000)
  assert.equal(warnings.length, 101)
  assert.equal(warnings.at(-1), '900 more warnings are not shown')
})
