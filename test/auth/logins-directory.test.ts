import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AclUsers, type AclUser } from '../../src/auth/acl-users.ts'
import { ANONYMOUS } from '../../src/auth/identity.ts'
import { Logins } from '../../src/auth/logins.ts'
import { acceptedLogin, changesOf } from '../contracts/authenticator.ts'
import { openDirectory } from './ldap-directory.ts'
import { missing } from '../programs.ts'
import { startSlapd } from './slapd.ts'

function userOf(name: string, password: string | null): AclUser {
  return { name, password, segments: new Map(), secureTopics: ['acl-file'] }
}

test(
  'a name in the ACL file is never tried against the directory',
  { skip: missing('slapd') },
  async () => {
    await using slapd = await startSlapd()
    await using directory = openDirectory(slapd)
    const logins = new Logins(
      new AclUsers([userOf('alice', null), userOf('bob', 'other')]),
      directory,
    )
    assert.deepEqual(await logins.login('alice', 'alice-secret'), { type: 'refused' })
    assert.deepEqual(await logins.login('bob', 'bob-secret'), { type: 'refused' })
    await acceptedLogin(logins, 'bob', 'other')
    assert.equal(await slapd.logged(/BIND dn="uid=/), 0)
    assert.equal((await acceptedLogin(logins, 'carol', 'carol-secret')).identity.name, 'carol')
  },
)

test(
  'a name that a reload brings into the ACL file is no longer the directory’s',
  { skip: missing('slapd') },
  async () => {
    await using slapd = await startSlapd()
    await using directory = openDirectory(slapd)
    const logins = new Logins(new AclUsers([]), directory)
    const [alice, carol] = [
      await acceptedLogin(logins, 'alice', 'alice-secret'),
      await acceptedLogin(logins, 'carol', 'carol-secret'),
    ]
    const told = [changesOf(alice), changesOf(carol)]
    const isAsked = logins.login('bob', 'bob-secret')
    logins.replace([userOf('alice', 'alice-secret'), userOf('bob', 'bob-secret')])
    assert.deepEqual(told[0]?.all, [ANONYMOUS])
    assert.deepEqual(told[1]?.all, [])
    const bob = await isAsked
    assert.ok(bob.type === 'accepted')
    assert.deepEqual([...bob.login.identity.secureTopics], ['acl-file'])
  },
)
