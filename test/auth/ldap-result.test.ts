import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvalidCredentialsError, SizeLimitExceededError, UnknownStatusCodeError } from 'ldapts'
import { askedFor, describeResult, LdapResultError } from '../../src/auth/ldap-result.ts'

test('a result is told by its name, its number, what the directory says of it and what was asked', async () => {
  const asking = Promise.reject(new SizeLimitExceededError('too\nmany \u001b[31m'))
  await assert.rejects(askedFor('the search', asking), (error) => {
    assert.ok(error instanceof LdapResultError)
    assert.equal(error.toPeers, 'answers sizeLimitExceeded (4) to this server')
    assert.match(
      error.message,
      /^answers sizeLimitExceeded \(4\): too many \[31m to the search \(its limit on entries /,
    )
    return true
  })
})

test('a result without a text or a name is told by what there is', () => {
  assert.equal(describeResult(new InvalidCredentialsError('')), 'invalidCredentials (49)')
  assert.equal(describeResult(new UnknownStatusCodeError(123, '')), 'a result without a name (123)')
  assert.equal(describeResult(new UnknownStatusCodeError(10, '')), 'referral (10)')
  assert.ok(describeResult(new InvalidCredentialsError('x'.repeat(100_000))).length < 400)
})

test('what is no result of the directory stays what it is', async () => {
  const lost = new Error('connection lost')
  await assert.rejects(askedFor('the search', Promise.reject(lost)), lost)
  assert.equal(await askedFor('the search', Promise.resolve(1)), 1)
})
