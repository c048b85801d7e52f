import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AclUsers } from '../../src/auth/acl-users.ts'
import { Logins } from '../../src/auth/logins.ts'
import { acceptedLogin } from '../contracts/authenticator.ts'

test('without a directory only the ACL file counts', async () => {
  const bob = { name: 'bob', password: 'bob-secret', segments: new Map(), secureTopics: [] }
  const logins = new Logins(new AclUsers([bob]), null)
  await acceptedLogin(logins, 'bob', 'bob-secret')
  assert.deepEqual(await logins.login('alice', 'alice-secret'), { type: 'refused' })
})
