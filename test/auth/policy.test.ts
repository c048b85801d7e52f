import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressList } from '../../src/auth/address-list.ts'
import { ANONYMOUS, type Identity } from '../../src/auth/identity.ts'
import { Policy, refusalText, type Publisher } from '../../src/auth/policy.ts'

const policy = new Policy({
  publishers: new AddressList(['127.0.0.0/8']),
  secureTopics: ['releases', 'keys', 'private'],
})
function may(segments: readonly string[], publisher: Publisher): boolean {
  return policy.mayPublish(segments, publisher).allowed
}

const HERE = '127.0.0.1'
const ELSEWHERE = '192.0.2.1'

function holderOf(...secureTopics: readonly string[]): Identity {
  return { ...ANONYMOUS, name: 'alice', secureTopics: new Set(secureTopics) }
}

test('without secured topics the address decides, and who it is does not matter', () => {
  const topics = ['fruits', 'apples']
  assert.equal(policy.dependsOnIdentity(topics), false)
  assert.equal(may(topics, { address: HERE, identity: ANONYMOUS }), true)
  assert.equal(may(topics, { address: ELSEWHERE, identity: holderOf('releases') }), false)
  assert.equal(may([], { address: HERE, identity: ANONYMOUS }), true)
})

test('an unknown address may not publish', () => {
  const everybody = new Policy({
    publishers: new AddressList(['0.0.0.0/0', '::/0']),
    secureTopics: [],
  })
  assert.deepEqual(everybody.mayPublish(['fruits'], { address: null, identity: ANONYMOUS }), {
    allowed: false,
    reason: { type: 'foreign-address', address: null },
  })
})

test('secured topics need somebody who holds all of them, from any address', () => {
  const topics = ['fruits', 'releases', 'keys']
  assert.equal(policy.dependsOnIdentity(topics), true)
  for (const address of [HERE, ELSEWHERE, null]) {
    assert.equal(may(topics, { address, identity: holderOf('releases', 'keys') }), true)
    assert.equal(may(topics, { address, identity: holderOf('releases') }), false)
    assert.equal(may(topics, { address, identity: ANONYMOUS }), false)
  }
})

test('private can be secured as well', () => {
  const topics = ['private', 'fruits']
  assert.equal(may(topics, { address: HERE, identity: ANONYMOUS }), false)
  assert.equal(may(topics, { address: HERE, identity: holderOf('private') }), true)
})

test('the answer has its reason', () => {
  const anonymous = { address: ELSEWHERE, identity: ANONYMOUS }
  assert.deepEqual(policy.mayPublish(['fruits'], { ...anonymous, address: HERE }), {
    allowed: true,
    reason: { type: 'publisher-address', rangeIndex: 0 },
  })
  assert.deepEqual(policy.mayPublish(['fruits'], anonymous), {
    allowed: false,
    reason: { type: 'foreign-address', address: ELSEWHERE },
  })
  const secured = [
    { topic: 'keys', isHeld: true },
    { topic: 'releases', isHeld: false },
  ]
  const holder = { address: HERE, identity: holderOf('keys') }
  assert.deepEqual(policy.mayPublish(['keys', 'a', 'releases', 'keys'], holder), {
    allowed: false,
    reason: { type: 'secured-topic', secured },
  })
  assert.deepEqual(policy.mayPublish(['keys'], holder), {
    allowed: true,
    reason: { type: 'holder', secured: secured.slice(0, 1) },
  })
})

test('nobody may publish below the pages of the server, whatever may be held', () => {
  assert.deepEqual(
    policy.mayPublishPath(['-', 'keys'], { address: HERE, identity: holderOf('keys') }),
    {
      allowed: false,
      reason: { type: 'reserved-path' },
    },
  )
  assert.ok(may(['a', '-'], { address: HERE, identity: ANONYMOUS }))
})

test('a refusal is told with the setting that decides, and with what the peer itself has said', () => {
  const secured = [
    { topic: 'keys', isHeld: true },
    { topic: `re"leases${'x'.repeat(100)}`, isHeld: false },
  ]
  for (const [reason, text] of [
    [{ type: 'reserved-path' }, /^paths that begin with \/-\/ /],
    [
      { type: 'secured-topic', secured },
      /^the topic "re\\"leasesx+…" is one of clients\.secure_topics, /,
    ],
    [
      { type: 'foreign-address', address: ELSEWHERE },
      /^your address 192\.0\.2\.1 is not among clients\.payloaders$/,
    ],
    [
      { type: 'foreign-address', address: null },
      /^your address, which is not known, is not among /,
    ],
    [{ type: 'foreign-page' }, /server\.cors\.origins/],
  ] as const)
    assert.match(refusalText(reason), text)
})
