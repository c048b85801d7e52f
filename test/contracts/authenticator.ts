import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { DEADLINE_MS } from '../deadline.ts'
import type { Cursor, Position, PublishedEvent } from '../../src/hub/event.ts'
import {
  ANONYMOUS,
  type Authenticator,
  type Identity,
  type Login,
  type LoginResult,
} from '../../src/auth/identity.ts'

/**
 * Knows `alice` (password `alice-secret`), who sees private events on `fruits` and may publish to `releases`, and `bob`
 * (`bob-secret`), who may do nothing in particular. Open logins notice a change within a second.
 */
export interface OpenedAuthenticator extends AsyncDisposable {
  readonly authenticator: Authenticator
  changePassword(name: 'alice' | 'bob', password: string): Promise<void>
  withdrawRights(name: 'alice'): Promise<void>
  remove(name: 'alice' | 'bob'): Promise<void>
}

/** What every authenticator must do. `skip`: why it cannot be tried here. */
export function authenticatorContract(
  name: string,
  open: () => Promise<OpenedAuthenticator>,
  { skip = false }: { skip?: string | false } = {},
): void {
  const contractTest = (
    behaviour: string,
    run: (opened: OpenedAuthenticator) => Promise<void>,
  ): void => {
    test(`${name}: ${behaviour}`, { skip, timeout: DEADLINE_MS }, async () => {
      await using opened = await open()
      await run(opened)
    })
  }

  contractTest('the right password gives the rights of the name', async ({ authenticator }) => {
    const { identity } = await acceptedLogin(authenticator, 'alice', 'alice-secret')
    assert.equal(identity.name, 'alice')
    assert.equal(identity.rights.maySee(privateEvent('apples', 'fruits')), true)
    assert.equal(identity.rights.maySee(privateEvent('vegetables')), false)
    assert.deepEqual([...identity.secureTopics], ['releases'])
  })

  contractTest('somebody without entitlements can log in', async ({ authenticator }) => {
    const { identity } = await acceptedLogin(authenticator, 'bob', 'bob-secret')
    assert.equal(identity.name, 'bob')
    assert.equal(identity.rights.seesNothing, true)
  })

  contractTest(
    'a wrong or empty password and an unknown name are refused',
    async ({ authenticator }) => {
      for (const [user, password] of [
        ['alice', 'bob-secret'],
        ['alice', 'alice-secret '],
        ['alice', 'ALICE-SECRET'],
        ['alice', ''],
        ['alice', '\0'],
        ['nobody', 'alice-secret'],
        ['nobody', ''],
        ['', ''],
        ['', 'alice-secret'],
      ] as const)
        assert.equal((await logIn(authenticator, user, password)).type, 'refused')
    },
  )

  contractTest(
    'no other name or password is accepted, whatever is in it',
    async ({ authenticator }) => {
      const syntax = fc.string({ unit: fc.constantFrom(...SYNTAX), maxLength: 20 })
      const hostile = fc.oneof(
        fc.string({ unit: 'binary', maxLength: 30 }),
        syntax,
        syntax.map((text) => `alice${text}`),
      )
      await fc.assert(
        fc.asyncProperty(hostile, hostile, async (user, password) => {
          const result = await logIn(authenticator, user, password)
          assert.equal(result.type, 'refused')
        }),
        { numRuns: 200 },
      )
    },
  )

  contractTest(
    'a changed password makes open logins anonymous, once and for good',
    async (opened) => {
      const { authenticator } = opened
      const login = await acceptedLogin(authenticator, 'alice', 'alice-secret')
      const told = changesOf(login)
      await opened.changePassword('alice', 'another')
      await told.next()
      await opened.changePassword('alice', 'alice-secret')
      await acceptedLogin(authenticator, 'alice', 'alice-secret')
      await witnessChange(opened)
      assert.equal(login.identity, ANONYMOUS)
      assert.deepEqual(told.all, [ANONYMOUS])
      login.onChange(() => assert.fail('an ended login has no changes'))
    },
  )

  contractTest('the new password is accepted after a change', async (opened) => {
    await acceptedLogin(opened.authenticator, 'alice', 'alice-secret')
    await opened.changePassword('alice', 'another')
    await acceptedLogin(opened.authenticator, 'alice', 'another')
  })

  contractTest('somebody who is gone becomes anonymous', async (opened) => {
    const login = await acceptedLogin(opened.authenticator, 'alice', 'alice-secret')
    const told = changesOf(login)
    await opened.remove('alice')
    assert.equal(await told.next(), ANONYMOUS)
    assert.equal(login.identity, ANONYMOUS)
  })

  contractTest('withdrawn rights are told and the login stays', async (opened) => {
    const login = await acceptedLogin(opened.authenticator, 'alice', 'alice-secret')
    const told = changesOf(login)
    await opened.withdrawRights('alice')
    const identity = await told.next()
    assert.equal(login.identity, identity)
    assert.equal(identity.name, 'alice')
    assert.equal(identity.rights.seesNothing, true)
    assert.equal(identity.secureTopics.size, 0)
  })

  contractTest('who has no changes is told nothing', async (opened) => {
    const login = await acceptedLogin(opened.authenticator, 'alice', 'alice-secret')
    const { identity } = login
    const told = changesOf(login)
    await witnessChange(opened)
    assert.equal(login.identity.rights.key, identity.rights.key)
    assert.deepEqual(told.all, [])
  })

  contractTest('every listener is told, and one that is disposed of is not', async (opened) => {
    const { authenticator } = opened
    const first = await acceptedLogin(authenticator, 'alice', 'alice-secret')
    const second = await acceptedLogin(authenticator, 'alice', 'alice-secret')
    first.onChange(() => assert.fail('told although disposed of'))[Symbol.dispose]()
    const told = [changesOf(first), changesOf(first), changesOf(second)]
    await opened.withdrawRights('alice')
    for (const { next } of told) assert.equal((await next()).rights.seesNothing, true)
  })
}

/** Characters that mean something in a DN, a filter or a format. */
const SYNTAX = ',=+*()\\\0#"<>;% s'.split('')

export function logIn(
  authenticator: Authenticator,
  name: string,
  password: string,
  address: string | null = '192.0.2.1',
): Promise<LoginResult> {
  return authenticator.authenticate({ type: 'password', name, password }, address)
}

export async function acceptedLogin(
  authenticator: Authenticator,
  name: string,
  password: string,
): Promise<Login> {
  const result = await logIn(authenticator, name, password)
  assert.equal(result.type, 'accepted', `the login of ${JSON.stringify(name)}`)
  assert.ok(result.type === 'accepted')
  return result.login
}

export function changesOf(login: Login): { all: Identity[]; next: () => Promise<Identity> } {
  const all: Identity[] = []
  const { promise, resolve } = Promise.withResolvers<Identity>()
  login.onChange((identity) => {
    all.push(identity)
    resolve(identity)
  })
  return { all, next: () => promise }
}

export function privateEvent(...topics: readonly string[]): PublishedEvent {
  return {
    topics,
    isPrivate: true,
    path: `/private/${topics.join('/')}`,
    payload: { type: 'json-object', text: '{}' },
    position: 1 as Position,
    cursor: '00000000-0000-4000-8000-000000000000' as Cursor,
    publishedAtMs: 0,
  }
}

/** Returns after all open logins have been judged again. */
async function witnessChange(opened: OpenedAuthenticator): Promise<void> {
  const told = changesOf(await acceptedLogin(opened.authenticator, 'bob', 'bob-secret'))
  await opened.remove('bob')
  await told.next()
}
