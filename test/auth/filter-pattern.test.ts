import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { AndFilter, EqualityFilter, FilterParser } from 'ldapts'
import { escapeDnValue } from '../../src/auth/distinguished-name.ts'
import { membershipPattern, userPattern } from '../../src/auth/filter-pattern.ts'
import { OptionError } from '../../src/auth/option-error.ts'

/** The filter of a pattern for a name; the DN may not be asked for. */
function membershipFilter(pattern: string): (name: string) => string {
  const filterFor = membershipPattern(pattern)
  return (name) => filterFor({ s: name, d: null })
}

test('within a DN the name is escaped for the DN and then for the filter', () => {
  const filterFor = membershipFilter('member=uid=%s,ou=people,dc=x')
  assert.equal(filterFor('alice'), '(member=uid=alice,ou=people,dc=x)')
  assert.equal(filterFor('a,b*'), '(member=uid=a\\5c,b\\2a,ou=people,dc=x)')
})

test('elsewhere it is escaped for the filter alone', () => {
  assert.equal(membershipFilter('(memberUid=%s)')('a,b*(c)\\'), '(memberUid=a,b\\2a\\28c\\29\\5c)')
})

test('each %s of a pattern is escaped for its own place', () => {
  const filterFor = membershipFilter(
    '(|(uid=%s)(member=cn=x+uid = %s,dc=x)(&(a=b)(m:1.2.3:=CN=%s)))',
  )
  assert.equal(
    filterFor('a,b'),
    '(|(uid=a,b)(member=cn=x+uid = a\\5c,b,dc=x)(&(a=b)(m:1.2.3:=CN=a\\5c,b)))',
  )
})

test('a name with $& or %s in it is only a name', () => {
  assert.equal(membershipFilter('(uid=%s)')("$&$'%s"), "(uid=$&$'%s)")
})

test('a DN is escaped for the filter alone, and a name for a DN beside it for both', () => {
  const filterFor = membershipPattern('(|(member=%d)(m:1.2.840.113556.1.4.1941:=%d)(memberUid=%s))')
  assert.equal(
    filterFor({ s: 'a(b', d: 'cn=Doe\\, Jane (x),dc=x' }),
    '(|(member=cn=Doe\\5c, Jane \\28x\\29,dc=x)' +
      '(m:1.2.840.113556.1.4.1941:=cn=Doe\\5c, Jane \\28x\\29,dc=x)(memberUid=a\\28b))',
  )
  assert.equal(
    membershipPattern('member=%d')({ s: '%d', d: 'cn=%s %d,dc=x' }),
    '(member=cn=%s %d,dc=x)',
  )
})

test('nothing is never put for a placeholder: groups without members have an empty DN for one', () => {
  for (const d of [null, ''])
    assert.throws(() => membershipPattern('(member=%d)')({ s: 'a', d }), /nothing stands for %d/)
  assert.throws(() => membershipPattern('(memberUid=%s)')({ s: '', d: null }), /nothing stands/)
})

test('the filter that finds a user has %s and no %d', () => {
  assert.equal(
    userPattern('(&(objectClass=user)(sAMAccountName=%s))')({ s: '*', d: null }),
    '(&(objectClass=user)(sAMAccountName=\\2a))',
  )
  for (const filter of ['(member=%d)', '(|(uid=%s)(member=%d))', '(uid=alice)', '(uid=%s'])
    assert.throws(() => userPattern(filter), OptionError, filter)
})

test('no name changes the shape of the filter', () => {
  const filterFor = membershipFilter(
    '(&(objectClass=posixGroup)(memberUid=%s)(member=uid=%s,dc=x))',
  )
  const name = fc.oneof(
    fc.string({ unit: 'grapheme', minLength: 1 }),
    fc.string({ minLength: 1, unit: fc.constantFrom(...'()*\\&|!=,+ \0a'.split('')) }),
  )
  fc.assert(
    fc.property(name, (value) => {
      const filter = FilterParser.parseString(filterFor(value))
      assert.ok(filter instanceof AndFilter)
      assert.deepEqual(
        filter.filters.map((part) => part instanceof EqualityFilter && part.value),
        ['posixGroup', value, `uid=${escapeDnValue(value)},dc=x`],
      )
    }),
  )
})

test('what is no pattern is refused, and the message shows it', () => {
  for (const pattern of [
    '',
    'uid=alice',
    'member=uid=%s,dc=x:',
    '%s',
    '(uid=%s',
    'uid=%s)',
    '(%s=x)',
    '(&uid=%s)',
  ])
    assert.throws(
      () => membershipFilter(pattern),
      (error) => error instanceof OptionError && error.message.includes(JSON.stringify(pattern)),
      pattern,
    )
})

test('a name is escaped for a DN wherever a %s follows an attribute type of its own', () => {
  // The rule as one expression, which takes quadratic time.
  const inDn = /[=,+*] *[a-z\d][\w.-]* *=[^,+]*%s/i
  const pieces = fc.constantFrom('=', ',', '+', '*', ' ', 'a', 'uid', '1.2', '-', '%s', '%', 's')
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      const value = `=${parts.join('')}%s`
      let filterFor
      try {
        filterFor = membershipFilter(`a${value}`)
      } catch {
        return // no filter
      }
      assert.equal(filterFor('x"y').includes('\\5c"'), inDn.test(value), value)
    }),
    { numRuns: 2_000 },
  )
})
