import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { hideCredentials } from '../../src/cli/hide-credentials.ts'

test('whatever a name and a password have in them, nothing of it is left', () => {
  const text = fc.string({ unit: fc.constantFrom('q', 'z', '@', ':', '/', '\n', ' ', '%') })
  fc.assert(
    fc.property(
      text,
      text,
      fc.constantFrom('', 'http://', 'svn+ssh://'),
      (name, password, scheme) => {
        const shown = hideCredentials(`${scheme}${name}:${password}@host/x`)
        assert.equal(shown.replace(/^svn\+ssh:\/\/|^http:\/\//, ''), '…@host/x')
      },
    ),
  )
})

test('a word without them stays as it is', () => {
  for (const word of ['http://localhost:2069/fruits', '--count', 'a:b', ''])
    assert.equal(hideCredentials(word), word)
})
