import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OptionError } from '../../src/auth/option-error.ts'
import { UserFilter } from '../../src/auth/user-filter.ts'

function namesIn(filter: string, entry: Record<string, string | string[]>): readonly string[] {
  return new UserFilter(filter).namesIn({ dn: 'cn=Doe\\, Jane,dc=x', ...entry })
}

test('the name of an entry is what the attribute has that the filter compares with it', () => {
  assert.deepEqual(
    namesIn('(&(objectClass=user)(sAMAccountName=%s))', { sAMAccountName: 'JDoe' }),
    ['JDoe'],
  )
  assert.deepEqual(namesIn('uid=%s', { UID: 'jdoe' }), ['jdoe'])
  assert.deepEqual(namesIn('(uid:caseExactMatch:=%s)', { uid: 'jdoe' }), ['jdoe'])
  assert.deepEqual(
    namesIn('(userPrincipalName=%s@Corp.example)', {
      userPrincipalName: ['jdoe@corp.example', 'other@else.example'],
    }),
    ['jdoe'],
  )
})

test('an entry with several names has them all, the first being the same whichever was typed', () => {
  const filter = '(|(mail=%s)(uid=%s))'
  const expected = ['a@x.example', 'b@x.example', 'jane', 'jdoe']
  assert.deepEqual(
    namesIn(filter, { uid: ['jdoe', 'jane'], mail: ['b@x.example', 'a@x.example'] }),
    expected,
  )
  assert.deepEqual(
    namesIn(filter, { mail: ['a@x.example', 'b@x.example'], uid: ['jane', 'jdoe'] }),
    expected,
  )
  assert.deepEqual(new UserFilter(filter).attributes, ['mail', 'uid'])
  const [first] = new UserFilter('(uid=%s)').namesIn({ dn: 'uid=jdoe,dc=x', uid: ['a', 'jdoe'] })
  assert.equal(first, 'jdoe')
})

test('a directory may call an attribute otherwise', () => {
  assert.deepEqual(namesIn('(userid=%s)', { uid: 'jdoe', userid: [] }), ['jdoe'])
})

test('an entry that shows nothing has no name', () => {
  assert.deepEqual(namesIn('(uid=%s)', { uid: [] }), [])
  assert.deepEqual(namesIn('(uid=%s@x)', { uid: '@x' }), [])
})

test('a filter that compares nothing with the name is refused', () => {
  for (const filter of ['(uid=*%s*)', '(member=uid=\\2c%s)', '(uid=x)', '(uid=%d)', '(%s=x)'])
    assert.throws(() => new UserFilter(filter), OptionError, filter)
})
