import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { OptionError } from '../../src/auth/option-error.ts'
import { OutgoingPolicy, OutgoingRefusedError } from '../../src/outgoing/outgoing-policy.ts'

function policy(...allow: string[]): OutgoingPolicy {
  return new OutgoingPolicy({ allow, setting: 'webhooks.allow' })
}

function isRefused(url: string, ...allow: string[]): boolean {
  try {
    policy(...allow).check(url)
    return false
  } catch (error) {
    assert.ok(error instanceof OutgoingRefusedError, String(error))
    return true
  }
}

/** Bits behind a prefix, at random. */
function addressesIn(range: string): fc.Arbitrary<string> {
  const [base = '', prefix] = range.split('/')
  const isIPv6 = base.includes(':')
  const bits = BigInt((isIPv6 ? 128 : 32) - Number(prefix))
  return fc
    .bigInt({ min: 0n, max: (1n << bits) - 1n })
    .map((rest) => (isIPv6 ? ipv6Text(ipv6Number(base) | rest) : ipv4Text(ipv4Number(base) | rest)))
}

function ipv4Number(text: string): bigint {
  return text.split('.').reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
}

function ipv4Text(address: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 255n).join('.')
}

/** Of a base that ends in `::`. */
function ipv6Number(base: string): bigint {
  const groups = base.replace(/::$/, '').split(':')
  return groups.reduce(
    (sum, group, at) => sum | (BigInt(`0x${group || '0'}`) << BigInt(112 - 16 * at)),
    0n,
  )
}

function ipv6Text(address: bigint): string {
  const groups = Array.from({ length: 8 }, (_, at) => (address >> BigInt(112 - 16 * at)) & 65_535n)
  return groups.map((group) => group.toString(16)).join(':')
}

/** IANA's special-purpose registries of both families, multicast, and what is not given out. */
const SPECIAL_RANGES = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/96', // IPv4-compatible, with :: and ::1
  '0:0:0:0:0:ffff::/96', // IPv4-mapped
  '0:0:0:0:ffff::/96', // IPv4-translated
  '64:ff9b::/96', // NAT64
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/32', // Teredo
  '2001:2::/48',
  '2001:10::/28',
  '2001:20::/28',
  '2001:db8::/32',
  '2002::/16', // 6to4
  '3fff::/20',
  '4000::/3',
  '5f00::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
]

test('no address of a special range is asked, as a url and as an answer of DNS', () => {
  for (const range of SPECIAL_RANGES)
    fc.assert(
      fc.property(addressesIn(range), (address) => {
        assert.ok(isRefused(`http://${address.includes(':') ? `[${address}]` : address}/`), address)
        assert.throws(
          () => policy().allowedAddresses('example.com', 80, [address]),
          OutgoingRefusedError,
        )
      }),
    )
})

test('an address of a special range is asked once its range is named', () => {
  for (const range of SPECIAL_RANGES.filter((each) => !each.includes('::/96')))
    fc.assert(
      fc.property(addressesIn(range), (address) => {
        assert.deepEqual(policy(range).allowedAddresses('example.com', 80, [address]), [address])
      }),
      { numRuns: 20 },
    )
})

test('public addresses are asked without being named', () => {
  for (const address of ['1.1.1.1', '93.184.216.34', '172.32.0.1', '100.128.0.1', '223.255.255.1'])
    assert.ok(!isRefused(`http://${address}/`), address)
  for (const address of ['2606:4700::1111', '2a00:1450:4001::1', '2003::1'])
    assert.ok(!isRefused(`https://[${address}]:8443/`), address)
})

test('an address is recognized however it is spelled', () => {
  for (const host of [
    '127.0.0.1.',
    '127.1',
    '0x7f.1',
    '0X7F000001',
    '2130706433',
    '0177.0.0.1',
    '017700000001',
    '127.0.1',
    '%31%32%37.0.0.1',
    '127。0。0。1',
    '１２７.0.0.1',
    '①②⑦.0.0.1',
    '0',
    '[::]',
    '[::1]',
    '[0:0:0:0:0:0:0:1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::127.0.0.1]',
    '[64:ff9b::169.254.169.254]',
    '[2002:a9fe:a9fe::]',
    '169.254.169.254',
    '2852039166',
  ]) {
    assert.ok(isRefused(`http://${host}/`), host)
    assert.ok(isRefused(`https:${host}:8443/`), host)
  }
  for (const host of ['127.1', '0x7f.1', '2130706433', '127.0.0.1.', '[::ffff:127.0.0.1]'])
    assert.ok(!isRefused(`http://${host}/`, '127.0.0.0/8'), host)
})

test('the answers of DNS that Node spells with dots or a zone are recognized', () => {
  for (const address of ['::ffff:8.8.8.8', '::8.8.8.8', '64:ff9b::8.8.8.8', 'fe80::1%eth0', 'no'])
    assert.throws(() => policy().allowedAddresses('a.example', 80, [address]), OutgoingRefusedError)
})

test('of several addresses those that are allowed are left, in their order', () => {
  const addresses = ['2606:4700::1111', '10.0.0.1', '1.1.1.1', '::1']
  assert.deepEqual(policy().allowedAddresses('a.example', 80, addresses), [
    '2606:4700::1111',
    '1.1.1.1',
  ])
  assert.deepEqual(policy('::1').allowedAddresses('a.example', 80, addresses), [
    '2606:4700::1111',
    '1.1.1.1',
    '::1',
  ])
  assert.deepEqual(policy().allowedAddresses('a.example', 80, []), [])
})

test('only http and https urls without credentials are asked', () => {
  for (const url of [
    '',
    '/path',
    '//example.com/',
    'example.com',
    'ftp://example.com/',
    'file:///etc/passwd',
    'ws://example.com/',
    'javascript:alert(1)',
    'http://',
    'http://?x',
    'http://user@example.com/',
    'http://user:secret@example.com/',
    'http://:secret@example.com/',
    'http://exa mple.com/',
    'http://exam\nple.com/',
    ' http://example.com/',
    'http://example.com/a\tb',
    'http://example.com/a\r\nX: y',
    'http://example.com\0/',
    'http://example.com:65536/',
    'http://[::1/',
    'http://1.2.3.256/',
    'http://[fe80::1%25eth0]/',
  ])
    assert.ok(isRefused(url, '0.0.0.0/0', '::/0'), JSON.stringify(url))
  assert.equal(policy().check('HTTP://Example.com:80/a?b#c').href, 'http://example.com/a?b#c')
})

test('a url is refused from 8,001 characters on, counted as they are sent', () => {
  assert.ok(!isRefused(`http://example.com/${'a'.repeat(8_000 - 19)}`))
  assert.ok(isRefused(`http://example.com/${'a'.repeat(8_001 - 19)}`))
  assert.ok(isRefused(`http://example.com/${'é'.repeat(2_000)}`))
  assert.ok(isRefused(`http://${'a'.repeat(254)}/`))
})

test('a url that passed passes again as it came out', () => {
  fc.assert(
    fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), (text) => {
      let url
      try {
        url = policy().check(text)
      } catch {
        return
      }
      assert.equal(policy().check(url.href).href, url.href)
    }),
  )
})

test('no refusal repeats the path, the query or the credentials of a url', () => {
  for (const url of [
    'http://127.0.0.1/secret?secret#secret',
    'http://user:secret@example.com/',
    `http://example.com/?${'secret'.repeat(2_000)}`,
    'http://example.com/secret secret',
    'secret:secret',
  ])
    assert.throws(
      () => policy().check(url),
      (error: Error) => !error.message.includes('secret'),
    )
})

test('a refusal says which address it is and which setting would allow it', () => {
  assert.throws(() => policy().check('http://2130706433/'), {
    name: 'OutgoingRefusedError',
    message: '127.0.0.1 is not public, and webhooks.allow does not name it',
  })
  assert.throws(() => policy().allowedAddresses('a.example', 80, ['10.0.0.1', '::1']), {
    name: 'OutgoingRefusedError',
    message:
      'a.example has the address 10.0.0.1, which is not public, and webhooks.allow does not name it',
  })
})

test('an entry with a port is for that port alone', () => {
  assert.ok(!isRefused('http://127.0.0.1:8080/', '127.0.0.1:8080'))
  assert.ok(isRefused('http://127.0.0.1:8081/', '127.0.0.1:8080'))
  assert.ok(isRefused('http://127.0.0.2:8080/', '127.0.0.1:8080'))
  assert.ok(!isRefused('http://127.0.0.1/', '127.0.0.1:80'))
  assert.ok(!isRefused('https://127.0.0.1/', '127.0.0.1:443'))
  assert.ok(isRefused('https://127.0.0.1/', '127.0.0.1:80'))
  assert.ok(!isRefused('http://[::1]:8080/', '[::1]:8080'))
  assert.ok(isRefused('http://[::1]:8081/', '[::1]:8080'))
  assert.ok(!isRefused('http://[::1]:8081/', '[::1]'))
  assert.ok(!isRefused('http://[::1]:8081/', '::1'))
})

test('a host that is named has any address, and no other host has', () => {
  const named = policy('Hooks.example', 'inner.example.:8080', 'bücher.example')
  const inside = ['10.0.0.1', '::1']
  for (const [host, port] of [
    ['hooks.example', 80],
    ['hooks.example.', 443],
    ['inner.example', 8080],
    ['xn--bcher-kva.example', 80],
  ] as const)
    assert.deepEqual(named.allowedAddresses(host, port, inside), inside)
  for (const [host, port] of [
    ['a.hooks.example', 80],
    ['hooks.example.evil.example', 80],
    ['example', 80],
    ['inner.example', 80],
    ['', 80],
  ] as const)
    assert.throws(() => named.allowedAddresses(host, port, inside), OutgoingRefusedError)
})

test('an entry of another form is told to the operator', () => {
  for (const entry of [
    '',
    ' ',
    '*',
    '*.example.com',
    'http://example.com',
    'example.com/',
    'user@example.com',
    'example.com:',
    'example.com:0',
    'example.com:65536',
    'example.com:http',
    ':8080',
    '::1:8080:',
    '[127.0.0.1]:80',
    '[::1',
    '10.0.0.0/33',
    '10.0.0.0/8:80',
    '127.1',
    '0x7f.0.0.1',
    '2130706433',
    '1.2.3.256',
    'a b',
  ])
    assert.throws(() => policy(entry), OptionError, JSON.stringify(entry))
})
