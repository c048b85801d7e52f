import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { FIRST } from '../config/certificates.ts'
import { TemporaryFiles } from '../config/temporary-files.ts'
import { startPubsub } from '../http/requests.ts'
import type { RunningServer } from '../running-server.ts'
import { Command } from './command.ts'

const files = new TemporaryFiles()
let server: RunningServer
before(async () => {
  const tls = {
    port: 0,
    cert: files.write('cert.pem', FIRST.certPem),
    key: files.write('key.pem', FIRST.keyPem),
  }
  server = await startPubsub({ server: { bind: '0.0.0.0', tls, backlog: { size: 10 } } })
})
after(async () => {
  await server[Symbol.asyncDispose]()
  files[Symbol.dispose]()
})

/** The certificate is for localhost and 127.0.0.1. */
const at = (host: string, path: string) => `https://${host}:${server.tlsPort}${path}`

function run(words: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  return new Command({ 'ca.pem': FIRST.certPem }, words, {
    environment: { HOME: '/nonexistent', ...environment },
  })
}

for (const [name, ...options] of [['listen'], ['publish', '--data', '{}']] as const) {
  test(`pubsubd ${name} ends at a certificate that nobody has vouched for`, async () => {
    await using command = run([name, at('localhost', '/a'), ...options])
    assert.equal(await command.exit(), 3)
    assert.match(command.stderr, /the certificate of localhost:\d+ is not accepted: self-signed/)
    assert.match(command.stderr, /NODE_EXTRA_CA_CERTS=FILE/)
  })

  test(`pubsubd ${name} ends at a certificate for another name`, async () => {
    const words = [name, at('127.0.0.2', '/a'), ...options]
    await using command = run(words, { NODE_EXTRA_CA_CERTS: 'ca.pem' })
    assert.equal(await command.exit(), 3)
    assert.match(command.stderr, /is not accepted: .*127\.0\.0\.2/)
  })
}

test('pubsubd publish and listen take a certificate that NODE_EXTRA_CA_CERTS names', async () => {
  const trusting = { NODE_EXTRA_CA_CERTS: 'ca.pem' }
  await using publishing = run(['publish', at('localhost', '/b'), '--data', '{"n": 1}'], trusting)
  assert.equal(await publishing.exit(), 0, publishing.stderr)
  const words = ['listen', at('localhost', '/b'), '--since', 'all', '--count', '1']
  await using listening = run(words, trusting)
  assert.equal(await listening.exit(), 0, listening.stderr)
  assert.match(listening.stdout, /"n": 1/)
})
