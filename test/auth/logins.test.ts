import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AclUsers } from '../../src/auth/acl-users.ts'
import { type Directory, Logins } from '../../src/auth/logins.ts'
import { ANONYMOUS } from '../../src/auth/identity.ts'
import { LiveLogin } from '../../src/auth/live-login.ts'
import { acceptedLogin, logIn } from '../contracts/authenticator.ts'

test('without a directory only the ACL file counts', async () => {
  const bob = { name: 'bob', password: 'bob-secret', segments: new Map(), secureTopics: [] }
  const logins = new Logins(new AclUsers([bob]), null)
  await acceptedLogin(logins, 'bob', 'bob-secret')
  assert.deepEqual(await logIn(logins, 'alice', 'alice-secret'), { type: 'refused' })
})

test('a user of the file is not let in by a directory that takes another name for the same', async () => {
  const directory: Directory = {
    authenticate: async () => ({
      type: 'accepted',
      login: new LiveLogin({ ...ANONYMOUS, name: 'carol' }),
      names: ['carol'],
    }),
    endLogins: () => {},
  }
  const carol = { name: 'Carol', password: null, segments: new Map(), secureTopics: [] }
  const blocked = new Logins(new AclUsers([carol]), directory)
  assert.deepEqual(await logIn(blocked, 'cárol', 'carol-secret'), { type: 'refused' })
  const logins = new Logins(new AclUsers([]), directory)
  assert.equal((await acceptedLogin(logins, 'cárol', 'carol-secret')).identity.name, 'carol')
})

test('a user of the file is not let in by another name of its entry in the directory', async () => {
  const directory: Directory = {
    authenticate: async () => ({
      type: 'accepted',
      login: new LiveLogin({ ...ANONYMOUS, name: 'carol' }),
      names: ['carol', 'carol@example.org'],
    }),
    endLogins: () => {},
  }
  const blocked = { password: null, segments: new Map(), secureTopics: [] }
  for (const name of ['Carol', 'CAROL@example.org', 'caz']) {
    const logins = new Logins(new AclUsers([{ ...blocked, name }]), directory)
    assert.deepEqual(await logIn(logins, 'caz', 'carol-secret'), { type: 'refused' }, name)
  }
})
