import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { RawClient } from '../raw-client.ts'
import { basic, eventsUpToNow, listen, put, sharedPubsub, startPubsub } from '../requests.ts'

const server = sharedPubsub(
  { clients: { trust_proxy: ['127.0.0.1'], payloaders: ['127.0.0.1', '192.0.2.0/24'] } },
  { alice: { password: 'x', acl: {} }, bob: { password: 'x', acl: {} } },
)

async function ask(path: string, body: string, ...headers: readonly string[]) {
  await using client = await RawClient.open(server().port)
  return await client.ask(put(path, body, headers))
}

test('the same publication twice is one event, and both answers have its cursor', async () => {
  await using stream = await listen(server())
  const headers = ['Idempotency-Key: one', 'Accept: application/json']
  const answers = await Promise.all([1, 2, 3].map(() => ask('/a', '{"n": 1}', ...headers)))
  answers.push(await ask('/a', '{"n": 1}', ...headers))
  const [events] = await eventsUpToNow(server(), stream)
  assert.equal(events!.length, 1)
  for (const { status, headers: told, body } of answers) {
    assert.equal(status, 202)
    assert.equal(told['x-pubsub-cursor'], events![0].pubsub_cursor)
    assert.equal(body, answers[0]!.body)
  }
})

test('a batch is repeated as a whole', async () => {
  await using stream = await listen(server())
  const headers = ['Idempotency-Key: batch', 'Content-Type: application/x-ndjson']
  const answers = [await ask('/a', '{}\n{}', ...headers), await ask('/a', '{}\n{}', ...headers)]
  assert.equal((await eventsUpToNow(server(), stream))[0]!.length, 2)
  assert.equal(answers[0]!.headers['x-pubsub-cursor'], answers[1]!.headers['x-pubsub-cursor'])
})

test('another body or path under the same key is refused with 422', async () => {
  await using stream = await listen(server())
  const key = 'Idempotency-Key: two'
  assert.equal((await ask('/a', '{}', key)).status, 202)
  for (const [path, body] of [
    ['/a', '{"n": 1}'],
    ['/b', '{}'],
  ] as const) {
    const answer = await ask(path, body, key)
    assert.equal(answer.statusLine, 'HTTP/1.1 422 Unprocessable Entity')
    assert.match(answer.body, /was used for another path or body/)
  }
  assert.equal((await eventsUpToNow(server(), stream))[0]!.length, 1)
})

test('a key belongs to its publisher: others may use the same', async () => {
  await using stream = await listen(server())
  const key = 'Idempotency-Key: three'
  const publishers = [
    [],
    ['X-Forwarded-For: 192.0.2.1'],
    [basic('alice', 'x')],
    [basic('bob', 'x')],
  ]
  for (const [n, publisher] of publishers.entries())
    assert.equal((await ask('/a', `{"n": ${n}}`, key, ...publisher)).status, 202)
  assert.equal((await eventsUpToNow(server(), stream))[0]!.length, 4)
})

for (const key of ['', 'a b', 'x'.repeat(256), 'é'])
  test(`a key that is ${JSON.stringify(key.slice(0, 5))} is refused`, async () => {
    const { status, body } = await ask('/a', '{}', `Idempotency-Key: ${key}`)
    assert.equal(status, 400)
    assert.match(body, /1 to 255 visible characters of ASCII/)
  })

test('keys are forgotten as limits.idempotency_keys says', async () => {
  await using started = await startPubsub({ limits: { idempotency_keys: 2 } })
  await using client = await RawClient.open(started.port)
  const cursors = []
  for (const key of ['a', 'b', 'a', 'c', 'a']) {
    const answer = await client.ask(put('/a', '{}', [`Idempotency-Key: ${key}`]))
    assert.equal(answer.status, 202)
    cursors.push(answer.headers['x-pubsub-cursor'])
  }
  assert.equal(cursors[2], cursors[0])
  assert.equal(new Set(cursors).size, 4)
})

test('a key is known after a restart', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-keys-'))
  try {
    const backlog = { size: 100, storage: join(directory, 'backlog') }
    const cursors = []
    for (let run = 0; run < 2; run++) {
      await using started = await startPubsub({ server: { backlog } })
      await using client = await RawClient.open(started.port)
      const answer = await client.ask(put('/a', '{}', ['Idempotency-Key: k']))
      cursors.push(answer.headers['x-pubsub-cursor'])
    }
    assert.equal(cursors[0], cursors[1])
  } finally {
    rmSync(directory, { recursive: true })
  }
})
