import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { FIRST, SECOND } from '../../config/certificates.ts'
import { TemporaryFiles } from '../../config/temporary-files.ts'
import { startInProcess } from '../../in-process-server.ts'
import { Client, config, fromClient, isReady } from './client.ts'
import { write } from './wire.ts'

const HELLO = Buffer.concat([write.subscription('a', 'b'), write.publication('a', 'b', 'hello')])

test('with a certificate TLS is spoken from the first byte, large messages pass whole, and nothing else is understood', async () => {
  using files = new TemporaryFiles()
  const cert = files.write('cert.pem', FIRST.certPem)
  const key = files.write('key.pem', FIRST.keyPem)
  const tls = `, tls: {cert: ${JSON.stringify(cert)}, key: ${JSON.stringify(key)}}`
  await using server = await startInProcess({ config: config(`${tls}, handshake_timeout: 0.3s`) })
  assert.ok(server.urls.some((url) => /^tls:\/\/127\.0\.0\.1:\d+$/.test(url)))
  using client = new Client(server)
  const large = 'x'.repeat(3_000_000)
  client.socket.write(Buffer.concat([HELLO, write.publication('a', 'b', large)]))
  await client.expects(fromClient('b', 'hello'), fromClient('b', large))
  using plain = new Client(server, true)
  plain.socket.write(HELLO)
  using silent = new Client(server, true)
  await Promise.all([plain.ends(), silent.ends()])
  // TLS itself may say why, and no message.
  assert.ok(!plain.received.includes(8))
  assert.equal(silent.received.length, 0)

  const certificateOf = async () => {
    using other = new Client(server)
    other.socket.write(write.subscription('a', 'c'))
    await isReady(server, other, '/a/c')
    return (other.socket as TLSSocket).getPeerX509Certificate()!.toString()
  }
  assert.equal(await certificateOf(), FIRST.certPem)
  writeFileSync(cert, SECOND.certPem)
  assert.throws(() => server.reloadSettings(), /does not belong to the certificate/)
  writeFileSync(key, SECOND.keyPem)
  server.reloadSettings()
  assert.equal(await certificateOf(), SECOND.certPem)
  client.socket.write(write.publication('a', 'b', 'still there'))
  await client.expects(fromClient('b', 'still there'))
})

test('a certificate needs its key', async () => {
  await assert.rejects(
    startInProcess({ config: config(', tls: {cert: /dev/null}') }),
    /protocols\.jetblack\.tls\.key is missing/,
  )
})

test('connections here count with all others, and those that are too many are closed without a byte', async () => {
  await using server = await startInProcess({ config: config('', 'limits: {connections: 8}\n') })
  using first = new Client(server)
  first.socket.write(HELLO)
  await first.expects(fromClient('b', 'hello'))
  const others = Array.from({ length: 7 }, () => new Client(server))
  using _others = { [Symbol.dispose]: () => others.forEach((each) => each.socket.destroy()) }
  for (const each of others) {
    each.socket.write(write.publication('a', 'b', 'there'))
    await first.expects(fromClient('b', 'there'))
  }
  using ninth = new Client(server)
  ninth.socket.write(HELLO)
  await ninth.ends()
  assert.equal(ninth.received.length, 0)
  assert.equal((await fetch(`${server.url}/a`)).status, 503)
  others[0]!.socket.destroy()
  while (first.received.length === 0) {
    using again = new Client(server)
    again.socket.write(write.publication('a', 'b', 'again'))
    await pause(10)
  }
})
