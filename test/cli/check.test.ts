import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Command, PROJECT } from './command.ts'

const SETTINGS = 'server: {}\nclients:\n  payloaders: [127.0.0.1]\n'

async function check(settings: string, acl = '', words: readonly string[] = []) {
  const files = { 'pubsub.yaml': settings, 'pubsub_acl.yaml': acl }
  await using command = new Command(files, ['check', ...words])
  const code = await command.exit()
  assert.equal(command.stderr, '')
  return { code, lines: command.stdout.trimEnd().split('\n') }
}

describe('pubsubd check', { concurrency: 4 }, () => {
  test('finds nothing wrong where nothing is', async () => {
    const acl = 'alice: {password: a, acl: {x: [a, b], y: [b, c]}}\n'
    assert.deepEqual(await check(SETTINGS, acl), { code: 0, lines: ['errors: 0, warnings: 0'] })
  })

  test('the shipped files have no error', async () => {
    const [settings, acl] = ['pubsub.yaml', 'pubsub_acl.yaml'].map((name) =>
      readFileSync(join(PROJECT, name), 'utf8'),
    )
    const { code, lines } = await check(settings!, acl)
    assert.equal(code, 0)
    // Its example holds a topic that is secured only once somebody takes out a comment sign.
    assert.match(lines[0]!, /^warning: .*"commit" has no effect/)
    assert.equal(lines.length, 2)
  })

  test('tells all errors and warnings of both files at once, with line and column', async () => {
    const settings = 'sever: {}\nserver:\n  port: many\nclients:\n  payloaders: x\n'
    const { code, lines } = await check(settings, 'alice: {password: a, acl: [x]}\n')
    assert.equal(code, 1)
    assert.deepEqual(lines, [
      'error: pubsub.yaml, line 3, column 3: server.port must be a whole number from 0 to 65535, not "many"',
      'error: pubsub.yaml, line 5, column 3: clients.payloaders must be a list, not text',
      'warning: pubsub.yaml: unknown key sever (line 1), did you mean server? It is ignored',
      'warning: pubsub_acl.yaml, line 1, column 22: alice.acl must be a map, not a list. User "alice" gets no rights',
      'errors: 2, warnings: 2',
    ])
  })

  test('warnings are errors with --strict', async () => {
    const settings = `${SETTINGS}  sercure_topics: []\n`
    assert.equal((await check(settings)).code, 0)
    assert.equal((await check(settings, '', ['--strict'])).code, 1)
  })

  const found: Readonly<Record<string, readonly [string, string, RegExp]>> = {
    'an address in a range': [
      `${SETTINGS}    \n`.replace('[127.0.0.1]', '[127.0.0.0/8, 127.0.0.1]'),
      '',
      /warning: .*line 3, column 29: clients\.payloaders: 127\.0\.0\.1 is covered by 127\.0\.0\.0\/8 already/,
    ],
    'a store that cannot be made there': [
      SETTINGS.replace('server: {}', 'server: {backlog: {size: 5, storage: pubsub.yaml/events}}'),
      '',
      /warning: pubsub\.yaml, line 1, column 29: server\.backlog\.storage cannot be used by the user of this process: ENOTDIR.*Part of the path is a file/,
    ],
    'an address that is none of this machine': [
      SETTINGS.replace('server: {}', 'server: {bind: 192.0.2.7}'),
      '',
      /warning: pubsub\.yaml, line 1, column 10: server\.bind 192\.0\.2\.7 cannot be listened on: .*EADDRNOTAVAIL.*\. That is no address of this machine/,
    ],
    'a pid file that cannot be written there': [
      SETTINGS.replace('server: {}', 'server: {pid_file: pubsub.yaml/pid}'),
      '',
      /warning: pubsub\.yaml, line 1, column 10: server\.pid_file cannot be used by the user of this process: ENOTDIR/,
    ],
    'a range around another one': [
      SETTINGS.replace('127.0.0.1', '"fe80::1", "fe80::/10"'),
      '',
      /warning: .*: fe80::\/10 covers fe80::1, too/,
    ],
    'a range that is none': [
      SETTINGS.replace('127.0.0.1', '10.0.0.0/33'),
      '',
      /error: pubsub\.yaml, line 3, column 16: clients\.payloaders: "10\.0\.0\.0\/33" is no CIDR range/,
    ],
    'a host of lonelyps that is none': [
      `${SETTINGS}protocols: {lonelyps: {webhooks: {allow: ['a b']}}}\n`,
      '',
      /error: pubsub\.yaml, line 4, column \d+: protocols\.lonelyps\.webhooks\.allow: "a b" is neither/,
    ],
    'a port of jetblack that is none': [
      `${SETTINGS}protocols: {jetblack: {ports: {70000: is-image}}}\n`,
      '',
      /error: pubsub\.yaml, line 4, column \d+: protocols\.jetblack\.ports\.70000 must be a port/,
    ],
    'a wire of jetblack that is none': [
      `${SETTINGS}protocols: {jetblack: {ports: {9091: image}}}\n`,
      '',
      /error: pubsub\.yaml, line 4, column \d+: protocols\.jetblack\.ports\.9091 /,
    ],
    'secrets of lonelyps that are none': [
      `${SETTINGS}protocols: {lonelyps: {secrets: pubsub_acl.yaml}}\n`,
      '',
      /error: pubsub_acl\.yaml: it is no JSON/,
    ],
    'a dictionary of lonelyps that is none': [
      `${SETTINGS}protocols: {lonelyps: {dictionaries: {2: {file: /dev/null}}}}\n`,
      '',
      /error: \/dev\/null: a dictionary has at least 8 bytes/,
    ],
    'a dictionary of lonelyps with the number of none': [
      `${SETTINGS}protocols: {lonelyps: {dictionaries: {1: {file: pubsub.yaml}}}}\n`,
      '',
      /error: pubsub\.yaml, line 4, column \d+: protocols\.lonelyps\.dictionaries\.1 must be a number from 2 to 65535/,
    ],
    'a dictionary of lonelyps that is not there': [
      `${SETTINGS}protocols: {lonelyps: {dictionaries: {2: {file: none}}}}\n`,
      '',
      /error: pubsub\.yaml, line 4, column \d+: protocols\.lonelyps\.dictionaries\.2\.file is not usable: none cannot be read/,
    ],
    'a user of lonelyps without rights': [
      `${SETTINGS}protocols: {lonelyps: {users: {bob: /dev/null}}}\n`,
      '',
      /warning: pubsub\.yaml, line 4, column \d+: "bob" is not in pubsub_acl\.yaml/,
    ],
    'two users of lonelyps of the same name': [
      `${SETTINGS}protocols: {lonelyps: {users: {bob: /dev/null, Bob: /dev/null}}}\n`,
      '',
      /error: protocols\.lonelyps\.users: "bob" and "Bob" are the same name/,
    ],
    'an LDAP pattern that is no filter': [
      `${SETTINGS}  ldap: {uri: 'ldap://a', user_dn: 'uid=%s', base_scope: 'dc=a', acl: {}, membership_patterns: ['(a=%s']}\n`,
      '',
      /error: pubsub\.yaml, line 4, column 98: clients\.ldap\.membership_patterns cannot work: .* is no LDAP filter/,
    ],
    'a topic with a slash in the list of a group': [
      `${SETTINGS}  ldap: {uri: 'ldap://a', user_dn: 'uid=%s', base_scope: 'dc=a', acl: {dc=a: [a/b]}}\n`,
      '',
      /warning: pubsub\.yaml, line 4, column \d+: the list matches no event: no topic is "a\/b"/,
    ],
    'queues that are not served yet': [
      `${SETTINGS}sqs: {some: {queue: x, secret: y}}\n`,
      '',
      /^warning: pubsub\.yaml, line 4, column 1: sqs is not served yet: .*\nerrors: 0, warnings: 1$/,
    ],
    'a segment with a slash': [
      SETTINGS,
      'alice: {password: a, acl: {x: [a/b]}}\n',
      /warning: pubsub_acl\.yaml, line 1, column 28: "x" matches no event: no topic is "a\/b", with a slash/,
    ],
    'a segment with private': [
      SETTINGS,
      'alice: {password: a, acl: {x: [private, b]}}\n',
      /warning: .* "x" matches no event but those of \/private\/private/,
    ],
    'a segment that another one covers': [
      SETTINGS,
      'alice:\n  password: a\n  acl:\n    x: [a]\n    y: [b, a]\n    z: [a]\n',
      /line 5, column 5: "y" adds nothing: "x" covers.*\n.*line 6, column 5: "z" adds nothing/,
    ],
    'a user without a password': [SETTINGS, 'alice: {acl: {x: [a]}}\n', /"alice" has no password/],
    'a name that Basic cannot say': [
      SETTINGS,
      '"a:b": {password: a}\n',
      /"a:b" never logs in: HTTP Basic ends a name/,
    ],
    'two users of the same name': [
      SETTINGS,
      'carol: {}\n" Ｃarol": {password: a}\n',
      /error: the users "carol" \(pubsub_acl\.yaml, line 1, column 1\) and " \S+arol" \(pubsub_acl\.yaml, line 2, column 2\) have the same name/,
    ],
    'a topic that need not be secured': [
      SETTINGS,
      'alice: {password: a, topics: [x]}\n',
      /line 1, column 31: that "alice" may publish to "x" has no effect/,
    ],
    'a secure topic of nobody': [
      `${SETTINGS}  secure_topics: [x]\n`,
      'alice: {topics: [x]}\n',
      /line 4, column 19: nobody may publish to "x"/,
    ],
  }
  for (const [what, [settings, acl, message]] of Object.entries(found))
    test(`finds ${what}`, async () => {
      const { lines } = await check(settings, acl)
      assert.match(lines.join('\n'), message)
    })
})
