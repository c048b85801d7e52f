import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Command } from './command.ts'
import { PlainServer } from './plain-server.ts'

test('publish and listen work with a server that speaks PyPubSub’s plain lines only', async () => {
  await using server = await PlainServer.start()
  const url = `${server.url}/fruits`
  await using listener = new Command({}, ['listen', url, '--checkpoint', 'c'])
  // Nothing tells when it listens, so something is published until it hears.
  const beacon = setInterval(() => void fetch(url, { method: 'PUT', body: '{"n": 0}' }), 100)
  await listener.printed(/"n": 0/).finally(() => clearInterval(beacon))
  const publish = async (input: string) => {
    await using publisher = new Command({}, ['publish', url], { input })
    assert.equal(await publisher.exit(), 0, publisher.stderr)
  }
  await publish('{"n": 1}\n{"n": 2, "ü": "é"}\n')
  await listener.printed(/"n": 2, "\\u00fc": "\\u00e9"/)
  server.cut()
  await publish('{"n": 3}\n{"n": 4}\n')
  await listener.printed(/"n": 4/)
  assert.match(listener.stderr, /trying again in/)
  assert.match(listener.stderr, /gap: perhaps: this server does not say/)

  // The next one goes on where this one was, which a keep-alive behind the replay has told.
  const last = () => /.*"n": 4.*/.exec(listener.stdout)![0]
  const { pubsub_cursor: cursor } = JSON.parse(last()) as { pubsub_cursor: string }
  await listener.wrote('c', `${cursor}\n`)
  listener.child.kill('SIGTERM')
  assert.equal(await listener.exit(), 143)
  await publish('{"n": 5}\n')
  const words = ['listen', url, '--checkpoint', 'c', '--count', '1', '--format', 'payload']
  await using next = new Command({ c: listener.read('c') }, words)
  assert.equal(await next.exit(), 0, next.stderr)
  assert.equal(next.stdout, '{"n": 5}\n')
})

for (const words of [
  ['--since', '10m'],
  ['--where', 'n > 1'],
])
  test(`${words[0]} is refused where it would be passed over`, async () => {
    await using server = await PlainServer.start()
    await using listener = new Command({}, ['listen', `${server.url}/a`, ...words])
    assert.equal(await listener.exit(), 3)
    assert.match(listener.stderr, new RegExp(`plain lines only and would pass over ${words[0]};`))
  })
