import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Command } from './command.ts'

const FILE = `
server:
  bind: 127.0.0.1
  backlog: {max_age: 7d}
clients:
  payloaders: [10.0.0.0/8, '::1']
sqs: {region: {secret: hunter2}}
`

test('each setting is printed with its value and where that is given, and no secret', async () => {
  await using command = new Command({ 'pubsub.yaml': FILE }, ['config', '--port', '0'], {
    environment: { PUBSUBD_LOG_FORMAT: '', PUBSUBD_LOG_LEVEL: 'warn' },
  })
  assert.equal(await command.exit(), 0)
  for (const line of [
    'server.bind: 127.0.0.1  # pubsub.yaml, line 3, column 3',
    'server.port: 0  # --port',
    'server.backlog.max_age: 7d  # pubsub.yaml, line 4, column 13',
    'server.drain_window: 30s  # default',
    'server.tls: none  # default',
    'clients.payloaders: [10.0.0.0/8, "::1"]  # pubsub.yaml, line 6, column 3',
    'log.level: warn  # PUBSUBD_LOG_LEVEL',
    'log.format: auto  # default',
    'sqs: (not shown)  # pubsub.yaml, line 7, column 1',
  ])
    assert.ok(command.stdout.includes(`${line}\n`), `${line}\n---\n${command.stdout}`)
  assert.doesNotMatch(command.output, /hunter2/)
})

test('what is wrong is told as the server tells it', async () => {
  await using command = new Command({ 'pubsub.yaml': FILE }, ['config', '--port', 'x'])
  assert.equal(await command.exit(), 1)
  assert.match(command.stderr, /^pubsubd config: --port: server\.port must be a whole number/)
})
