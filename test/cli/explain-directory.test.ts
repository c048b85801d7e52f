import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BASE_DN, GROUPS, SERVICE, startSlapd } from '../auth/slapd.ts'
import { TemporaryFiles } from '../config/temporary-files.ts'
import { missing } from '../programs.ts'
import { explain, withDirectory } from './explain.ts'

test(
  'the directory is asked as the user, whose groups decide',
  { skip: missing('slapd') },
  async () => {
    await using slapd = await startSlapd()
    const as = (name: string, password: string, words: readonly string[]) =>
      explain(['--as', name, ...words], {
        settings: withDirectory(slapd.uri),
        acl: '',
        environment: { PUBSUBD_PASSWORD: password },
      })

    const alice = await as('alice', 'alice-secret', ['listen', '/private/commit'])
    assert.equal(alice.code, 0)
    const rule = `the segment "commits" of ${GROUPS.committers} (pubsub.yaml, line 16, column 9)`
    assert.equal(alice.told[2], `  private events with "commit": all, by ${rule}`)
    const release = await as('alice', 'alice-secret', ['publish', '/release'])
    assert.match(
      release.told[2]!,
      /among the topics of cn=committers\S+ \(pubsub\.yaml, line 17, column 18\)/,
    )

    const bob = await as('bob', 'bob-secret', ['listen', '/private/commit'])
    assert.equal(bob.code, 3)
    assert.match(bob.told[1]!, /asked as that user, finds nothing of clients\.ldap\.acl/)
    const carol = await as('carol', 'wrong', ['listen', '/private/commit'])
    assert.equal(carol.code, 3)
    assert.match(
      carol.told[1]!,
      /the directory refuses "carol" \(invalidCredentials \(49\)\), so its login is refused/,
    )
    const unproven = await as('alice', '', ['listen', '/private/commit'])
    assert.match(unproven.told[1]!, /asked without a password/)
  },
)

test(
  'a directory that searches says without a password whose groups decide, and by which list',
  { skip: missing('slapd') },
  async () => {
    await using slapd = await startSlapd({ groupsOfBob: ['readers'] })
    using files = new TemporaryFiles()
    const settings = `server: {}
clients:
  payloaders: [127.0.0.1]
  bad_credentials: reject
  ldap:
    uri: ${slapd.uri}
    base_scope: ${BASE_DN}
    search:
      bind_dn: ${SERVICE.dn}
      password_file: ${files.write('password', SERVICE.password)}
      base: ${BASE_DN}
      filter: (uid=%s)
    member_of: memberOf
    acl:
      cn=readers,ou=groups,${BASE_DN}: [commit]
      cn=nowhere,ou=groups,${BASE_DN}: [release]
    membership_patterns: [member=%d]
`
    const as = (name: string, password = '') =>
      explain(['--as', name, 'listen', '/private/commit'], {
        settings,
        acl: '',
        environment: { PUBSUBD_PASSWORD: password },
      })
    const bob = await as('Bob')
    assert.equal(bob.code, 0)
    assert.match(bob.told[1]!, /asked as cn=pubsubd\S+, without proof .*, finds cn=readers/)
    assert.match(
      bob.told[3]!,
      /all, by the list of cn=readers\S+ \(pubsub\.yaml, line 15, column 7\)/,
    )
    assert.match(bob.told[2]!, /nobody has the rights of cn=nowhere\S+ now: .* noSuchObject \(32\)/)
    assert.equal((await as('bob', 'bob-secret')).code, 0)
    assert.match((await as('bob', 'wrong')).told[1]!, /refuses "bob" \(invalidCredentials \(49\)\)/)
    assert.match((await as('no')).told[1]!, /refuses "no" \(search\.filter finds no entry\)/)
    const elsewhere = settings.replace(`base: ${BASE_DN}`, 'base: dc=nowhere')
    const { code, errors } = await explain(['--as', 'bob', '/a'], { settings: elsewhere, acl: '' })
    assert.equal(code, 4)
    assert.match(
      errors,
      /the directory answers noSuchObject \(32\) to the search for a user below dc=nowhere/,
    )
  },
)
