import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ANONYMOUS, type Identity } from '../../src/auth/identity.ts'
import { LiveLogin } from '../../src/auth/live-login.ts'

const call = () => {}

function identity(key: string, ...secureTopics: string[]): Identity {
  const rights = { key, seesNothing: false, maySee: () => true }
  return { name: 'alice', rights, secureTopics: new Set(secureTopics) }
}

test('listeners hear of each identity that differs, and the login shows it already', () => {
  const login = new LiveLogin(identity('a', 'x'))
  const heard: Identity[] = []
  using _listener = login.onChange((now) => {
    assert.equal(login.identity, now)
    heard.push(now)
  })
  login.change(identity('a', 'x'))
  assert.deepEqual(heard, [])
  const changes = [identity('b', 'x'), identity('b', 'x', 'y'), identity('b', 'y')]
  for (const each of changes) login.change(each)
  assert.deepEqual(heard, changes)
})

test('a login that was withdrawn stays so, and its listeners hear it once', () => {
  const watched: boolean[] = []
  const login = new LiveLogin(identity('a'), (isWatched) => watched.push(isWatched))
  const heard: Identity[] = []
  const listener = login.onChange((now) => heard.push(now))
  login.change(ANONYMOUS)
  login.change(identity('b'))
  login.change(ANONYMOUS)
  listener[Symbol.dispose]()
  using _late = login.onChange((now) => heard.push(now))
  assert.equal(login.identity, ANONYMOUS)
  assert.deepEqual(heard, [ANONYMOUS])
  assert.deepEqual(watched, [true])
})

test('whoever keeps it up to date is told when the first listener comes and when the last goes', () => {
  const watched: boolean[] = []
  const login = new LiveLogin(identity('a'), (isWatched) => watched.push(isWatched))
  // The same function twice is two listeners.
  const [first, second] = [login.onChange(call), login.onChange(call)]
  first[Symbol.dispose]()
  first[Symbol.dispose]()
  assert.deepEqual(watched, [true])
  second[Symbol.dispose]()
  assert.deepEqual(watched, [true, false])
  login.onChange(call)[Symbol.dispose]()
  assert.deepEqual(watched, [true, false, true, false])
})

test('a listener that goes while all are told is told, and one that comes is not', () => {
  const login = new LiveLogin(identity('a'))
  const heard: string[] = []
  let last: Disposable | undefined
  login.onChange(() => {
    heard.push('first')
    last![Symbol.dispose]()
    login.onChange(() => heard.push('new'))
  })
  last = login.onChange(() => heard.push('last'))
  login.change(identity('b'))
  assert.deepEqual(heard, ['first', 'last'])
})
