import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  canonicalDn,
  escapeDnValue,
  isInSubtree,
  nameInDn,
  plainDn,
  valueInRdn,
} from '../../src/auth/distinguished-name.ts'

function assertSame(...dns: readonly [string, ...string[]]): void {
  for (const dn of dns) {
    assert.notEqual(canonicalDn(dn), null, dn)
    assert.equal(canonicalDn(dn), canonicalDn(dns[0]), dn)
  }
}

function assertOther(one: string, other: string): void {
  assert.notEqual(canonicalDn(one), canonicalDn(other), `${one} and ${other}`)
}

test('case and spaces do not matter', () => {
  assertSame(
    'cn=Some Group,ou=Groups,dc=example',
    'CN=some group,OU=groups,DC=EXAMPLE',
    '  cn = Some   Group , ou= Groups ,dc =example  ',
    'cn=\\ Some Group\\ ,ou=groups,dc=example',
  )
})

test('inner spaces are still spaces', () => {
  assertOther('cn=some group', 'cn=somegroup')
})

test('escapes of all forms mean the character', () => {
  assertSame('cn=a\\,b,dc=x', 'cn=a\\2cb,dc=x', 'cn=a\\2Cb, dc=x', 'cn=#0403612C62,dc=x')
  assertSame(
    'cn=\\#a\\+\\"\\\\\\<\\>\\;\\=',
    'cn=\\23a\\2b\\22\\5c\\3c\\3e\\3b\\3d',
    'cn=\\#a\\+\\"\\\\\\<\\>\\;=',
  )
  assertSame('cn=Jürgen', 'cn=J\\C3\\BCrgen', 'cn=ju\\cc\\88rgen')
  assertSame('cn=\\\\2c', 'cn=\\5c2c')
  assertOther('cn=\\\\2c', 'cn=\\2c')
})

test('a comma in a value is not one between RDNs', () => {
  assertOther('cn=a\\,dc=x', 'cn=a,dc=x')
})

test('the order within a multi-valued RDN does not matter, that of RDNs does', () => {
  assertSame('cn=a+sn=b,dc=x', 'SN=b + cn=a,dc=x')
  assertOther('cn=a,sn=b', 'sn=b,cn=a')
  assertOther('cn=a+sn=b', 'cn=a,sn=b')
})

test('a binary value is compared by its bytes', () => {
  assertSame('cn=#0305AB', 'cn= #0305ab ')
  assertOther('cn=#0305ab', 'cn=\\#0305ab')
})

test('a value may be empty', () => {
  assertSame('cn=,dc=x', 'cn= , dc=x')
})

test('what is no DN has no canonical form', () => {
  for (const text of [
    '',
    ' ',
    'alice',
    'alice@example.org',
    'cn=a,',
    ',cn=a',
    'cn=a,,dc=x',
    'cn=a+',
    '=a',
    'c n=a',
    'cn="a"',
    'cn=a;dc=x',
    'cn=\\',
    'cn=\\x',
    'cn=#zz',
    'cn=#123',
    'cn=a\0',
  ])
    assert.equal(canonicalDn(text), null, text)
})

test('an escaped value stays one value, and means itself', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom(...',+"\\<>;=# \0a'.split('')) }),
  )
  fc.assert(
    fc.property(text, (value) => {
      const hex = Buffer.from(value)
        .toString('hex')
        .replace(/../g, (byte) => `\\${byte}`)
      assertSame(`cn=${escapeDnValue(value)},dc=x`, `cn=${hex},dc=x`)
    }),
  )
})

test('values that differ in more than case and spaces stay different', () => {
  const text = fc.string({ unit: fc.constantFrom(...',+"\\<>;=#ab'.split('')) })
  fc.assert(
    fc.property(text, text, (one, other) => {
      const areSame =
        canonicalDn(`cn=${escapeDnValue(one)}`) === canonicalDn(`cn=${escapeDnValue(other)}`)
      assert.equal(areSame, one === other)
    }),
  )
})

test('the name in a DN is what stands for %s in the pattern, however the rest is written', () => {
  const pattern = 'uid=%s,ou=people,dc=example'
  assert.equal(nameInDn('UID=Carol, OU=People, dc=example', pattern), 'Carol')
  assert.equal(nameInDn(`uid=${escapeDnValue(' a,b ')},ou=people,dc=example`, pattern), ' a,b ')
  assert.equal(nameInDn('cn=x+uid=carol,dc=example', 'uid=%s+cn=x,dc=example'), 'carol')
  assert.equal(nameInDn('cn=User-carol.x,dc=example', 'cn=user-%s.x,dc=example'), 'carol')
  for (const other of [
    'cn=carol,ou=people,dc=example',
    'uid=carol,dc=example',
    'uid=,ou=people,dc=example',
    'carol@example.org',
  ])
    assert.equal(nameInDn(other, pattern), null, other)
  assert.equal(nameInDn('cn=other-carol,dc=example', 'cn=user-%s,dc=example'), null)
  assert.equal(nameInDn('carol@example.org', '%s@example.org'), null)
})

test('a name of any characters is found in the DN that was made of it', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 20 }), (name) => {
      const dn = `uid=${escapeDnValue(name)},dc=example`
      assert.equal(nameInDn(dn, 'uid=%s,dc=example'), name)
    }),
  )
})

test('an entry is below another one whose DN its own ends with, RDN by RDN, in any spelling', () => {
  for (const [dn, base] of [
    ['cn=a,ou=b,dc=x', 'OU=B , dc=X'],
    ['dc=x', 'dc=x'],
    ['cn=a\\2Cb,dc=x', 'dc=x'],
  ] as const)
    assert.ok(isInSubtree(dn, base), dn)
  for (const [dn, base] of [
    ['dc=x', 'cn=a,dc=x'],
    ['cn=a,dc=x', 'dc=y'],
    ['cn=a\\,dc=x', 'dc=x'],
    ['cn=ab,dc=x', 'cn=b,dc=x'],
    ['nobody', 'dc=x'],
    ['dc=x', 'nobody'],
  ] as const)
    assert.ok(!isInSubtree(dn, base), dn)
})

test('a DN is written without the spaces that are no part of it, and still names the same entry', () => {
  assert.equal(plainDn(' CN = Some  Group ,ou= x + cn=y'), 'cn=Some  Group,ou=x+cn=y')
  assert.equal(plainDn('cn=#0305ab,dc=x'), 'cn=#0305ab,dc=x')
  assert.equal(plainDn('nobody'), null)
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.constantFrom(' , ', ','), (value, between) => {
      const dn = `cn=${escapeDnValue(value)}${between}dc=x`
      assert.equal(canonicalDn(plainDn(dn)!), canonicalDn(dn))
    }),
  )
})

test('the value by which an entry is told from those beside it', () => {
  assert.equal(valueInRdn('sn=x+UID=a\\, b,uid=c', 'uid'), 'a, b')
  assert.equal(valueInRdn('cn=a,uid=b', 'uid'), null)
})
