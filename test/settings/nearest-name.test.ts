import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearestName } from '../../src/settings/nearest-name.ts'

const NAMES = ['bind', 'port', 'max_payload_size', 'backlog', 'tls', 'payloaders', 'ldap']

test('a slip of the finger finds the name that was meant', () => {
  for (const [written, meant] of [
    ['prot', 'port'],
    ['Port', 'port'],
    ['max_payload_sise', 'max_payload_size'],
    ['maxpayloadsize', 'max_payload_size'],
    ['payloader', 'payloaders'],
    ['tsl', 'tls'],
    ['back-log', 'backlog'],
    ['ldpa', 'ldap'],
  ] as const)
    assert.equal(nearestName(written, NAMES), meant)
})

test('a name that is like none finds none', () => {
  for (const written of ['', 'xyzzy', 'completely_different', 'x'.repeat(1_000_000)])
    assert.equal(nearestName(written, NAMES), null)
})
