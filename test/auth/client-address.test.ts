import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressList } from '../../src/auth/address-list.ts'
import { clientAddress } from '../../src/auth/client-address.ts'

const proxies = new AddressList(['10.0.0.0/8', '::1'])

function from(entry: string): string | null {
  return clientAddress('10.0.0.1', entry, proxies)
}

test('the header of a peer that is no trusted proxy is ignored', () => {
  assert.equal(clientAddress('192.0.2.1', '127.0.0.1', proxies), '192.0.2.1')
  assert.equal(clientAddress('192.0.2.1', 'garbage', proxies), '192.0.2.1')
  assert.equal(clientAddress('10.0.0.1', '127.0.0.1', new AddressList([])), '10.0.0.1')
})

test('without the header a trusted proxy speaks for itself', () => {
  assert.equal(clientAddress('10.0.0.1', undefined, proxies), '10.0.0.1')
})

test('behind trusted proxies the last address that is none of them counts', () => {
  assert.equal(clientAddress('10.0.0.1', '192.0.2.7', proxies), '192.0.2.7')
  assert.equal(clientAddress('::1', '127.0.0.1, 192.0.2.7 ,10.0.0.2', proxies), '192.0.2.7')
  assert.equal(clientAddress('::ffff:10.0.0.1', '192.0.2.7', proxies), '192.0.2.7')
})

test('where all are trusted, the first of the chain counts', () => {
  assert.equal(clientAddress('10.0.0.1', '10.0.0.3, 10.0.0.2', proxies), '10.0.0.3')
})

test('entries may have ports, brackets and zone ids', () => {
  assert.equal(from('192.0.2.7:567'), '192.0.2.7')
  assert.equal(from('[2001:db8::7]:80'), '2001:db8::7')
  assert.equal(from('[2001:db8::7]'), '2001:db8::7')
  assert.equal(from('2001:DB8::7'), '2001:db8::7')
  assert.equal(from('fe80::7%eth0'), 'fe80::7')
  assert.equal(from('::ffff:192.0.2.7'), '192.0.2.7')
})

test('garbage from a trusted proxy makes the peer unknown', () => {
  for (const header of [
    '',
    ' ',
    'unknown',
    '192.0.2.7,',
    '192.0.2.7, x',
    '1.2.3.4:',
    '192.0.2.7:x',
    '[::1',
    '010.0.0.1',
  ])
    assert.equal(clientAddress('10.0.0.1', header, proxies), null, header)
  assert.equal(
    clientAddress('10.0.0.1', 'x, 192.0.2.7', proxies),
    '192.0.2.7',
    'left of the client',
  )
})

test('a socket without an address is unknown', () => {
  assert.equal(clientAddress(undefined, undefined, proxies), null)
  assert.equal(clientAddress(undefined, '192.0.2.7', proxies), null)
})
