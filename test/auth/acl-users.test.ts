import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AclUsers, type AclUser } from '../../src/auth/acl-users.ts'
import { ANONYMOUS } from '../../src/auth/identity.ts'
import {
  acceptedLogin,
  authenticatorContract,
  changesOf,
  logIn,
} from '../contracts/authenticator.ts'

const alice: AclUser = {
  name: 'alice',
  password: 'alice-secret',
  segments: new Map([['orchard', ['fruits']]]),
  secureTopics: ['releases'],
}
const bob = userOf('bob', 'bob-secret')

function userOf(name: string, password: string | null): AclUser {
  return { name, password, segments: new Map(), secureTopics: [] }
}

authenticatorContract('AclUsers', async () => {
  let users = [alice, bob]
  const authenticator = new AclUsers(users)
  const reload = async (change: (user: AclUser) => AclUser | null) => {
    users = users.flatMap((user) => change(user) ?? [])
    authenticator.replace(users)
  }
  return {
    authenticator,
    changePassword: (name, password) =>
      reload((user) => (user.name === name ? { ...user, password } : user)),
    withdrawRights: (name) =>
      reload((user) => (user.name === name ? userOf(name, user.password) : user)),
    remove: (name) => reload((user) => (user.name === name ? null : user)),
    async [Symbol.asyncDispose]() {},
  }
})

test('a user without a password is known and never logs in', async () => {
  const users = new AclUsers([userOf('empty', ''), userOf('none', null)])
  for (const name of ['empty', 'none']) {
    assert.equal(users.has(name), true)
    assert.deepEqual(await logIn(users, name, ''), { type: 'refused' })
    assert.deepEqual(await logIn(users, name, 'null'), { type: 'refused' })
  }
  assert.equal(users.has('other'), false)
})

test('a user named "" can log in', async () => {
  const users = new AclUsers([userOf('', 'secret')])
  assert.equal((await acceptedLogin(users, '', 'secret')).identity.name, '')
})

test('names and passwords of objects are nothing special', async () => {
  const users = new AclUsers([userOf('__proto__', 'secret')])
  await acceptedLogin(users, '__proto__', 'secret')
  assert.deepEqual(await logIn(users, 'constructor', 'secret'), { type: 'refused' })
})

test('a reload is in force when replace returns, and all names change before anybody is told', async () => {
  const users = new AclUsers([alice, bob])
  const [aliceLogin, bobLogin] = [
    await acceptedLogin(users, 'alice', 'alice-secret'),
    await acceptedLogin(users, 'bob', 'bob-secret'),
  ]
  let hasBob: boolean | undefined
  aliceLogin.onChange(() => {
    hasBob = users.has('bob')
  })
  users.replace([])
  assert.deepEqual([aliceLogin.identity, bobLogin.identity], [ANONYMOUS, ANONYMOUS])
  assert.equal(hasBob, false)
})

test('whose password is taken away becomes anonymous', async () => {
  const users = new AclUsers([bob])
  const login = await acceptedLogin(users, 'bob', 'bob-secret')
  users.replace([userOf('bob', null)])
  assert.equal(login.identity, ANONYMOUS)
})

test('rights may come and go while the login stays', async () => {
  const users = new AclUsers([bob])
  const login = await acceptedLogin(users, 'bob', 'bob-secret')
  const told = changesOf(login)
  users.replace([{ ...bob, secureTopics: ['releases'] }])
  users.replace([{ ...bob, secureTopics: ['releases'] }])
  users.replace([bob])
  assert.deepEqual(
    told.all.map(({ secureTopics }) => [...secureTopics]),
    [['releases'], []],
  )
})

test('users whose names are the same are refused with their places, and the rights stay as they were', async () => {
  const users = new AclUsers([bob])
  const login = await acceptedLogin(users, 'bob', 'bob-secret')
  const two = [
    { ...userOf('Bob', 'new'), where: 'acl.yaml, line 1, column 1' },
    { ...userOf('ｂｏｂ', 'other'), where: 'acl.yaml, line 2, column 1' },
  ]
  const message =
    /the users "Bob" \(acl\.yaml, line 1, column 1\) and "ｂｏｂ" \(acl\.yaml, line 2, column 1\) have the same name.*Take one of them out/
  assert.throws(() => users.replace(two), { name: 'OptionError', message })
  assert.throws(() => new AclUsers(two), { name: 'OptionError', message })
  assert.equal(login.identity.name, 'bob')
  assert.deepEqual(await logIn(users, 'Bob', 'new'), { type: 'refused' })
})

test('a name logs in as it is spelled in the file, and a reload that spells it in another way ends its logins', async () => {
  const users = new AclUsers([bob])
  assert.deepEqual(await logIn(users, ' BOB', 'bob-secret'), { type: 'refused' })
  const login = await acceptedLogin(users, 'bob', 'bob-secret')
  users.replace([userOf('Bob', 'bob-secret')])
  assert.equal(login.identity, ANONYMOUS)
  assert.equal((await acceptedLogin(users, 'Bob', 'bob-secret')).identity.name, 'Bob')
  assert.deepEqual(await logIn(users, 'bob', 'bob-secret'), { type: 'refused' })
})
