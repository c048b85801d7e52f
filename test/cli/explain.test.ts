import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { explain, withDirectory } from './explain.ts'

describe('pubsubd explain', { concurrency: 4 }, () => {
  const cases: Readonly<
    Record<string, readonly [words: string, code: number, told: readonly string[]]>
  > = {
    'a segment that covers the wish': [
      '--as alice listen /private/y/x',
      0,
      [
        'listen /private/y/x as "alice": yes',
        '  private events with "y" and "x": all, by the segment "mine" of "alice" (pubsub_acl.yaml, line 5, column 5)',
      ],
    ],
    'segments that cover a part of it': [
      '--as alice listen /private/dev',
      0,
      [
        'listen /private/dev as "alice": in part',
        '  private events with "dev": those that have "email", too, by the segment "mail" of "alice" (pubsub_acl.yaml, line 4, column 5)',
        '  private events with "dev": those that have "x", too, by the segment "mine" of "alice" (pubsub_acl.yaml, line 5, column 5)',
      ],
    ],
    anonymous: [
      'listen /private/x',
      3,
      [
        'listen /private/x as anonymous: no',
        '  private events with "x": none, as no segment of an ACL is this name’s',
      ],
    ],
    'public and private events': [
      '--as alice listen /x',
      0,
      [
        'listen /x as "alice": yes',
        '  public events with "x": all, as everybody',
        '  private events with "x": all, by the segment "mine" of "alice" (pubsub_acl.yaml, line 5, column 5)',
      ],
    ],
    'a secure topic': [
      '--as alice publish /commit/x',
      0,
      [
        'publish /commit/x as "alice": yes',
        '  "commit" is secured (pubsub.yaml, line 6, column 28), and among the topics of "alice" (pubsub_acl.yaml, line 6, column 12)',
      ],
    ],
    'a name that is spelled in another way': [
      '--as ＡLICE publish /commit/x',
      0,
      [
        'publish /commit/x as "ＡLICE": yes',
        '  "commit" is secured (pubsub.yaml, line 6, column 28), and among the topics of "alice" (pubsub_acl.yaml, line 6, column 12)',
      ],
    ],
    'a secure topic of others': [
      '--as alice publish /release --from 127.0.0.1',
      3,
      [
        'publish /release as "alice": no',
        '  "release" is secured (pubsub.yaml, line 6, column 19), and not among the topics of this name',
      ],
    ],
    'an address': [
      'publish /x --from 10.1.2.3',
      0,
      [
        'publish /x as anonymous: yes',
        '  no topic of it is secured, so the address decides: 10.0.0.0/8 (pubsub.yaml, line 5, column 7: clients.payloaders)',
      ],
    ],
    'a foreign address': [
      'publish /x --from 11.1.2.3',
      3,
      [
        'publish /x as anonymous: no',
        '  no topic of it is secured, so the address decides: "11.1.2.3" is in none of clients.payloaders (pubsub.yaml, line 3, column 3)',
      ],
    ],
    'a user without a password': [
      '--as nopass listen /private/x',
      3,
      [
        'listen /private/x as "nopass": no',
        '  "nopass" has no password (pubsub_acl.yaml, line 7, column 1), so its login is refused (clients.bad_credentials, pubsub.yaml, line 7, column 3)',
      ],
    ],
    'both verbs': [
      '/-/x --from 127.0.0.1',
      3,
      [
        'publish /-/x as anonymous: no',
        "  paths that begin with /-/ are the server's own, nothing can be published there",
        'listen /-/x as anonymous: yes',
        '  public events with "-" and "x": all, as everybody',
        '  private events with "-" and "x": none, as no segment of an ACL is this name’s',
      ],
    ],
  }
  for (const [what, [words, code, told]] of Object.entries(cases))
    test(what, async () => {
      const outcome = await explain(words.split(' '))
      assert.deepEqual(outcome, { code, told, errors: '' })
    })

  test('without an address the rules are listed', async () => {
    const { code, told } = await explain(['publish', '/x'])
    assert.equal(code, 0)
    assert.match(told[0]!, /: it depends on the address$/)
    assert.equal(told.length, 4)
  })

  const users = '{Alice: secrets.json, jane: secrets.json}'
  const doors: Readonly<Record<string, readonly [section: string, words: string, told: string]>> = {
    'a user of the door': [
      `{users: ${users}}`,
      '--as alice listen /private/x',
      'whoever proves the secrets of "Alice" has the rights that pubsub_acl.yaml gives to that name (pubsub.yaml, line 9, column 22)',
    ],
    'one of the door that the ACL file does not know': [
      `{users: ${users}}`,
      '--as jane publish /x --from 127.0.0.1',
      'whoever proves the secrets of "jane" has those of anonymous only, as that name is not in pubsub_acl.yaml (pubsub.yaml, line 9, column 43)',
    ],
    'a user that the door does not know': [
      '{secrets: secrets.json, users: {jane: secrets.json}}',
      '--as alice listen /private/x',
      'users has no "alice", so nobody is that one there; whoever proves the secrets of all is anonymous (pubsub.yaml, line 9, column 14)',
    ],
    'anonymous, where only users have secrets': [
      `{users: ${users}}`,
      'listen /x',
      'nobody is anonymous there, as only users have secrets to prove (pubsub.yaml, line 9, column 14)',
    ],
    'anonymous, where nobody has secrets': [
      '{}',
      'listen /x',
      'everybody is anonymous there, as nobody has secrets to prove (pubsub.yaml, line 9, column 3)',
    ],
  }
  for (const [what, [section, words, told]] of Object.entries(doors))
    test(`another door: ${what}`, async () => {
      const outcome = await explain(words.split(' '), { door: section })
      assert.equal(outcome.errors, '')
      assert.equal(outcome.told.at(-1), `  over lonelyps: ${told}`)
    })

  test('what makes no sense is a wrong usage', async () => {
    for (const words of [[], ['x'], ['read', '/x'], ['listen']])
      assert.equal((await explain(words)).code, 2, words.join(' '))
  })

  test('a directory that cannot be asked is told with 4', async () => {
    const { code, errors } = await explain(['--as', 'jane', 'listen', '/private/commit'], {
      settings: withDirectory('ldap://127.0.0.1:1'),
    })
    assert.equal(code, 4)
    assert.match(errors, /the directory cannot be asked: .*ECONNREFUSED/)
  })
})
