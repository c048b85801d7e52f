import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changedSettings } from '../../src/config/changed-settings.ts'
import { loadSettings } from '../../src/config/load.ts'
import { FIRST, SECOND } from './certificates.ts'
import { TemporaryFiles } from './temporary-files.ts'

function changes(before: string, after: string) {
  using files = new TemporaryFiles()
  const write = (name: string, text: string) =>
    files.write(
      name,
      text
        .replace('CERT1', files.write('1.pem', FIRST.certPem))
        .replace('KEY1', files.write('1.key', FIRST.keyPem))
        .replace('CERT2', files.write('2.pem', SECOND.certPem))
        .replace('KEY2', files.write('2.key', SECOND.keyPem)),
    )
  const [one, other] = [write('before.yaml', before), write('after.yaml', after)]
  return changedSettings(loadSettings(one).settings, loadSettings(other).settings)
}

const PLAIN = 'server: {port: 1}\nclients: {payloaders: [10.0.0.1], trust_proxy: [10.0.0.2]}\n'

test('of two files that say the same nothing has changed, wherever in them it stands', () => {
  assert.deepEqual(changes(PLAIN, `# a comment\n\n${PLAIN.replace('1}', '1, bind: 0.0.0.0}')}`), {
    now: [],
    later: [],
  })
})

test('each setting that differs is named, by when it counts', () => {
  const after = `
server: {port: 2, backlog: {size: 10}}
clients: {payloaders: [10.0.0.1, 10.0.0.9], trust_proxy: [10.0.0.3], secure_topics: [builds]}
limits: {topics: 5}
log: {level: warn}
protocols: {lonelyps: {}}
`
  assert.deepEqual(changes(PLAIN, after), {
    now: ['clients.payloaders', 'clients.secure_topics', 'log.level'],
    later: [
      'server.port',
      'server.backlog.size',
      'clients.trust_proxy',
      'limits.topics',
      'protocols.lonelyps',
    ],
  })
})

test('another certificate counts at once, another port for it does not, nor TLS where there was none', () => {
  assert.deepEqual(changes(tls(2, 1), tls(2, 2)), { now: ['server.tls.cert'], later: [] })
  assert.deepEqual(changes(tls(2, 1), tls(3, 1)), { now: [], later: ['server.tls.port'] })
  const none = 'server: {port: 1}\nclients: {}\n'
  assert.deepEqual(changes(none, tls(2, 1)), { now: [], later: ['server.tls'] })
})

function tls(port: number, n: 1 | 2): string {
  return `server: {port: 1, tls: {port: ${port}, cert: CERT${n}, key: KEY${n}}}\nclients: {}\n`
}
