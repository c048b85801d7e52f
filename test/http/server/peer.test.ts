import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RawClient } from '../raw-client.ts'
import { NOT_ALLOWED, publish, put, sharedPubsub, startPubsub } from '../requests.ts'

const proxied = sharedPubsub({
  clients: { trust_proxy: ['127.0.0.1', '10.0.0.0/8'], payloaders: ['192.0.2.1', '2001:db8::/32'] },
})
const direct = sharedPubsub({ clients: { payloaders: ['192.0.2.1', '::/0'] } })

describe('behind a proxy that is trusted the address that it forwards counts', () => {
  const forwarded: readonly [readonly string[], 202 | 403][] = [
    [[], 403],
    [['192.0.2.1'], 202],
    [['192.0.2.2'], 403],
    [['192.0.2.1:4711'], 202],
    [['2001:db8::1'], 202],
    [['[2001:db8::1]:4711'], 202],
    [['::ffff:192.0.2.1'], 202],
    [['192.0.2.2, 192.0.2.1'], 202],
    [['192.0.2.1, 192.0.2.2'], 403],
    [['192.0.2.1, 10.1.2.3'], 202],
    [['192.0.2.1, 192.0.2.2, 10.1.2.3'], 403],
    [['192.0.2.1', '192.0.2.2'], 403],
    [['192.0.2.2', '192.0.2.1'], 202],
    [['192.0.2.1, unknown'], 403],
    [['unknown'], 403],
    [[''], 403],
    [['192.0.2.1,'], 403],
  ]
  for (const [values, status] of forwarded)
    test(`${JSON.stringify(values)}: ${status}`, async () => {
      await using client = await RawClient.open(proxied().port)
      const headers = values.map((value) => `X-Forwarded-For: ${value}`)
      assert.equal((await client.ask(put('/a', '{}', headers))).status, status)
    })

  test('on one connection each request is judged by itself', async () => {
    await using client = await RawClient.open(proxied().port)
    for (const [address, status] of [
      ['192.0.2.1', 202],
      ['192.0.2.2', 403],
      ['192.0.2.1', 202],
    ] as const)
      assert.equal(
        (await client.ask(put('/a', '{}', [`X-Forwarded-For: ${address}`]))).status,
        status,
      )
  })
})

test('without such a proxy nobody is believed, and an IPv6 range covers no IPv4 address', async () => {
  await using client = await RawClient.open(direct().port)
  for (const header of ['X-Forwarded-For', 'Forwarded', 'X-Real-IP', 'Client-IP']) {
    const { body } = await client.ask(put('/a', '{}', [`${header}: 192.0.2.1`]))
    assert.equal(body, NOT_ALLOWED)
  }
})

test('over IPv6 the address of the peer counts as such', async () => {
  await using server = await startPubsub({
    server: { bind: '::1' },
    clients: { payloaders: ['0.0.0.0/0', '::1'] },
  })
  await using client = await RawClient.open(server.port, { host: '::1' })
  assert.equal((await client.ask(put('/a', '{}'))).status, 202)
  await assert.rejects(publish(server, '/a', {}), { code: 'ECONNREFUSED' })
})
