import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { AddressList } from '../../src/auth/address-list.ts'
import { OptionError } from '../../src/auth/option-error.ts'

function covers(range: string, address: string): boolean {
  return new AddressList([range]).includes(address)
}

test('an address without a prefix is that one address', () => {
  assert.ok(covers('10.1.2.3', '10.1.2.3'))
  assert.ok(!covers('10.1.2.3', '10.1.2.4'))
  assert.ok(covers('2001:db8::1', '2001:DB8:0::1'))
  assert.ok(!covers('2001:db8::1', '2001:db8::2'))
})

test('host bits may be set', () => {
  assert.ok(covers('127.0.0.1/24', '127.0.0.200'))
  assert.ok(!covers('127.0.0.1/24', '127.0.1.1'))
  assert.ok(covers('2001:db8::1/64', '2001:db8::ffff'))
  assert.ok(!covers('2001:db8::1/64', '2001:db8:0:1::1'))
})

test('a netmask is as good as a prefix', () => {
  assert.ok(covers('127.0.0.0/255.255.255.0', '127.0.0.9'))
  assert.ok(!covers('127.0.0.0/255.255.255.0', '127.0.1.9'))
  assert.ok(covers('1.2.3.4/0.0.0.0', '9.9.9.9'))
})

test('a range of one family never covers an address of the other', () => {
  assert.ok(!covers('::/0', '127.0.0.1'))
  assert.ok(!covers('::/0', '::ffff:127.0.0.1'))
  assert.ok(!covers('0.0.0.0/0', '::1'))
  assert.ok(!covers('0.0.0.0/0', '::127.0.0.1'))
  assert.ok(covers('::/0', '::1'))
  assert.ok(covers('0.0.0.0/0', '127.0.0.1'))
})

test('an IPv4-mapped address counts as IPv4, however it is written', () => {
  for (const peer of [
    '::ffff:10.1.2.3',
    '::FFFF:10.1.2.3',
    '::ffff:a01:203',
    '0:0:0:0:0:ffff:10.1.2.3',
  ])
    assert.ok(covers('10.0.0.0/8', peer), peer)
  assert.ok(covers('::ffff:10.1.2.3', '10.1.2.3'))
  assert.ok(covers('::ffff:10.0.0.0/104', '10.1.2.3'))
  assert.ok(!covers('::ffff:10.0.0.0/104', '11.1.2.3'))
})

test('a zone id of a peer does not matter', () => {
  assert.ok(covers('fe80::/10', 'fe80::1%eth0'))
})

test('what is no address is in no list', () => {
  for (const text of [
    '',
    'localhost',
    '1.2.3',
    '010.0.0.1',
    '1.2.3.4 ',
    '1.2.3.4/32',
    '0x7f.0.0.1',
  ])
    assert.ok(!covers('0.0.0.0/0', text) && !covers('::/0', text), text)
})

test('a text that is no range is refused, and the message shows it', () => {
  for (const text of [
    '',
    'localhost',
    '1.2.3',
    '1.2.3.4.5',
    '010.0.0.1',
    '1.2.3.4/33',
    '1.2.3.4/-1',
    '1.2.3.4/',
    '1.2.3.4/8/8',
    '1.2.3.4/255.0.255.0',
    '1.2.3.4/0.0.0.255',
    '::/129',
    '::/255.0.0.0',
    '::ffff:1.2.3.4/95',
    'fe80::1%eth0',
    ' 1.2.3.4',
    '*',
  ])
    assert.throws(
      () => new AddressList(['10.0.0.1', text]),
      (error) => error instanceof OptionError && error.message.includes(JSON.stringify(text)),
      text,
    )
})

test('a range covers exactly the addresses that share its leading bits', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }), (base, address, prefix) => {
      const isCovered = bitsOf(address).startsWith(bitsOf(base).slice(0, prefix))
      assert.equal(covers(`${base}/${prefix}`, address), isCovered)
      assert.ok(covers(`${base}/${prefix}`, `::ffff:${base}`))
    }),
  )
})

function bitsOf(address: string): string {
  const bytes = address.split('.').map((byte) => Number(byte).toString(2).padStart(8, '0'))
  return bytes.join('')
}
