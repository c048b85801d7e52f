import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressList } from '../../src/auth/address-list.ts'
import { ANONYMOUS, type Identity } from '../../src/auth/identity.ts'
import { PublishPolicy } from '../../src/auth/publish-policy.ts'

const policy = new PublishPolicy({
  publishers: new AddressList(['127.0.0.0/8']),
  secureTopics: ['releases', 'keys', 'private'],
})
const HERE = '127.0.0.1'
const ELSEWHERE = '192.0.2.1'

function holderOf(...secureTopics: readonly string[]): Identity {
  return { ...ANONYMOUS, name: 'alice', secureTopics: new Set(secureTopics) }
}

test('without secured topics the address decides, and who it is does not matter', () => {
  const topics = ['fruits', 'apples']
  assert.equal(policy.dependsOnIdentity(topics), false)
  assert.equal(policy.mayPublish(topics, { address: HERE, identity: ANONYMOUS }), true)
  assert.equal(
    policy.mayPublish(topics, { address: ELSEWHERE, identity: holderOf('releases') }),
    false,
  )
  assert.equal(policy.mayPublish([], { address: HERE, identity: ANONYMOUS }), true)
})

test('an unknown address may not publish', () => {
  const everybody = new PublishPolicy({
    publishers: new AddressList(['0.0.0.0/0', '::/0']),
    secureTopics: [],
  })
  assert.equal(everybody.mayPublish(['fruits'], { address: null, identity: ANONYMOUS }), false)
})

test('secured topics need somebody who holds all of them, from any address', () => {
  const topics = ['fruits', 'releases', 'keys']
  assert.equal(policy.dependsOnIdentity(topics), true)
  for (const address of [HERE, ELSEWHERE, null]) {
    assert.equal(
      policy.mayPublish(topics, { address, identity: holderOf('releases', 'keys') }),
      true,
    )
    assert.equal(policy.mayPublish(topics, { address, identity: holderOf('releases') }), false)
    assert.equal(policy.mayPublish(topics, { address, identity: ANONYMOUS }), false)
  }
})

test('private can be secured as well', () => {
  const topics = ['private', 'fruits']
  assert.equal(policy.mayPublish(topics, { address: HERE, identity: ANONYMOUS }), false)
  assert.equal(policy.mayPublish(topics, { address: HERE, identity: holderOf('private') }), true)
})
