import assert from 'node:assert/strict'
import { test } from 'node:test'
import { givenSettings, warningsOfVariables } from '../../src/config/given-settings.ts'
import { placesIn } from '../../src/config/find-place.ts'
import { loadSettings } from '../../src/config/load.ts'
import { TemporaryFiles } from './temporary-files.ts'

type Flags = Parameters<typeof givenSettings>[0]

function load(text: string | null, flags: Flags, environment: Record<string, string> = {}) {
  using files = new TemporaryFiles()
  const file = text === null ? `${files.directory}/none.yaml` : files.write('pubsub.yaml', text)
  const source = { file, given: givenSettings(flags, environment), mayBeAbsent: text === null }
  const { settings, warnings } = loadSettings(source)
  return { settings, warnings, where: placesIn(source), file }
}

const FILE = `
server: {bind: 10.0.0.1, port: 1, backlog: {size: 5}}
clients: {payloaders: [10.0.0.2]}
`

test('a flag counts before a variable, that before the file, and that before the default', () => {
  const environment = { PUBSUBD_PORT: '2', PUBSUBD_BIND: '10.0.0.3', PUBSUBD_LOG_LEVEL: '' }
  const { settings, where, file } = load(FILE, { port: '3' }, environment)
  assert.equal(settings.server.port, 3)
  assert.equal(settings.server.bind, '10.0.0.3')
  assert.equal(settings.server.backlog.eventsMax, 5)
  assert.equal(settings.log.level, 'info')
  assert.equal(where(['server', 'port']), '--port')
  assert.equal(where(['server', 'bind']), 'PUBSUBD_BIND')
  assert.equal(where(['server', 'backlog', 'size']), `${file}, line 2, column 45`)
})

test('a list has commas or spaces, and each of its items is judged as in the file', () => {
  const { settings } = load(FILE, { publishers: '10.0.0.0/8, ::1  192.0.2.1' })
  assert.deepEqual(settings.clients.payloaders, [
    { text: '10.0.0.0/8', where: '--publishers: clients.payloaders' },
    { text: '::1', where: '--publishers: clients.payloaders' },
    { text: '192.0.2.1', where: '--publishers: clients.payloaders' },
  ])
})

test('what is wrong is told by the name of the flag or variable', () => {
  for (const [flags, environment, message] of [
    [
      { port: 'many' },
      {},
      /^--port: server\.port must be a whole number from 0 to 65535, not "many"$/,
    ],
    [{}, { PUBSUBD_PORT: '70000' }, /^PUBSUBD_PORT: server\.port must be a whole number/],
    [{ 'log-format': 'xml' }, {}, /^--log-format: log\.format must be auto or text or json/],
  ] as const)
    assert.throws(() => load(FILE, flags, environment), { name: 'ConfigError', message })
})

test('a section of the file that is no map is told as ever', () => {
  assert.throws(
    () => load('server: 5\nclients: {}\n', { port: '3' }),
    /server must be a map, not text/,
  )
  assert.throws(() => load('- a\n', { port: '3' }), /the file must be a map, not a list/)
})

test('a store may be named as the server has it or as the commands of log do', () => {
  for (const store of ['data/events', 'data/events.pubsubd', 'data/events.pubsubd/'])
    assert.equal(load(FILE, { store }).settings.server.backlog.storage, 'data/events')
})

test('without a file a store keeps something', () => {
  const { settings, warnings } = load(null, { store: 'events', publishers: '10.0.0.1' })
  assert.equal(settings.server.backlog.eventsMax, 100_000)
  assert.equal(settings.server.port, 2069)
  assert.deepEqual(warnings, [])
})

test('a variable that looks like one of ours and is none is told with the nearest', () => {
  const environment = {
    PUBSUBD_PROT: '1',
    PUBSUBD_XYZXYZXYZ: '',
    PUBSUBD_PORT: '2',
    PUBSUBD_TEST_GO: 'x',
  }
  assert.deepEqual(warningsOfVariables(environment), [
    'the variable PUBSUBD_PROT is none of pubsubd, did you mean PUBSUBD_PORT? It is ignored',
    'the variable PUBSUBD_XYZXYZXYZ is none of pubsubd. It is ignored',
  ])
})
