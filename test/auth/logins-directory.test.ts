import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Attribute, Change } from 'ldapts'
import { AclUsers, type AclUser } from '../../src/auth/acl-users.ts'
import { ANONYMOUS } from '../../src/auth/identity.ts'
import { Logins } from '../../src/auth/logins.ts'
import {
  acceptedLogin,
  authenticatorContract,
  changesOf,
  logIn,
} from '../contracts/authenticator.ts'
import { openDirectory } from './ldap-directory.ts'
import { missing } from '../programs.ts'
import { BASE_DN, startSlapd } from './slapd.ts'

authenticatorContract(
  'Logins, alice in the file and bob in the directory',
  async () => {
    const slapd = await startSlapd()
    const directory = openDirectory(slapd)
    const alice: AclUser = {
      name: 'alice',
      password: 'alice-secret',
      segments: new Map([['orchard', ['fruits']]]),
      secureTopics: ['releases'],
    }
    const authenticator = new Logins(new AclUsers([alice]), directory)
    const bob = `uid=bob,ou=people,${BASE_DN}`
    return {
      authenticator,
      async changePassword(name, password) {
        if (name === 'alice') return authenticator.replace([{ ...alice, password }])
        const modification = new Attribute({ type: 'userPassword', values: [password] })
        const change = new Change({ operation: 'replace', modification })
        await slapd.asAdmin((client) => client.modify(bob, change))
      },
      withdrawRights: async (name) => authenticator.replace([userOf(name, 'alice-secret', [])]),
      async remove(name) {
        if (name === 'alice') authenticator.replace([])
        else await slapd.asAdmin((client) => client.del(bob))
      },
      async [Symbol.asyncDispose]() {
        await directory[Symbol.asyncDispose]()
        await slapd[Symbol.asyncDispose]()
      },
    }
  },
  { skip: missing('slapd') },
)

function userOf(
  name: string,
  password: string | null,
  secureTopics: readonly string[] = ['acl-file'],
): AclUser {
  return { name, password, segments: new Map(), secureTopics }
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
    assert.equal((await logIn(logins, 'alice', 'alice-secret')).type, 'refused')
    assert.equal((await logIn(logins, 'bob', 'bob-secret')).type, 'refused')
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
    const isAsked = logIn(logins, 'bob', 'bob-secret')
    logins.replace([userOf('alice', 'alice-secret'), userOf('bob', 'bob-secret')])
    assert.deepEqual(told[0]?.all, [ANONYMOUS])
    assert.deepEqual(told[1]?.all, [])
    const bob = await isAsked
    assert.ok(bob.type === 'accepted')
    assert.deepEqual([...bob.login.identity.secureTopics], ['acl-file'])
  },
)
