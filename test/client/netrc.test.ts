import assert from 'node:assert/strict'
import { test } from 'node:test'
import { netrcEntry } from '../../src/client/netrc.ts'

const ALICE = { login: 'alice', password: 'a b"c' }

test('the entry of a machine is found, whatever its case and the white space', () => {
  const text =
    'machine other login x password y\n\tmachine Example.org\n login alice\r\n password "a b\\"c"\n'
  assert.deepEqual(netrcEntry(text, 'example.ORG', null), ALICE)
})

test('of several entries of a machine the one with the login counts, else the first', () => {
  const text = 'machine a login x password 1 machine a login y password 2'
  assert.equal(netrcEntry(text, 'a', null)?.password, '1')
  assert.equal(netrcEntry(text, 'a', 'y')?.password, '2')
  assert.equal(netrcEntry(text, 'a', 'z'), null)
})

test('the default entry is for all others', () => {
  const text = 'machine a login x password 1\ndefault login d password 2\n'
  assert.equal(netrcEntry(text, 'b', null)?.login, 'd')
  assert.equal(netrcEntry(text, 'a', null)?.login, 'x')
})

test('comments, accounts and macros are passed over, and a password may begin with #', () => {
  const text = `# machine a login c password c
machine b account 7 login x password #1
macdef init
machine a login m password m

machine a login x password 2
`
  assert.equal(netrcEntry(text, 'b', null)?.password, '#1')
  assert.equal(netrcEntry(text, 'a', null)?.password, '2')
})

test('a macro that is not ended takes the rest', () => {
  assert.equal(netrcEntry('macdef init\nmachine a login m password m\n', 'a', null), null)
})

test('an entry that is cut off has what it has', () => {
  assert.deepEqual(netrcEntry('machine a login x password', 'a', null), {
    login: 'x',
    password: null,
  })
  assert.equal(netrcEntry('machine', 'a', null), null)
  assert.equal(netrcEntry('', 'a', null), null)
})
