import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { DEADLINE_MS } from '../../deadline.ts'
import { authorizationOf, type Secrets } from '../../../src/protocols/lonelyps/authorization.ts'
import { ByteWriter } from '../../../src/protocols/lonelyps/byte-writer.ts'
import { strongEtag } from '../../../src/protocols/lonelyps/etag.ts'
import { signed, type Signed } from '../../../src/protocols/lonelyps/signed-bytes.ts'
import { startInProcess, type InProcessServer } from '../../in-process-server.ts'
import { ask, countOf, notifyBody, Receiver, subscribeBody, unsubscribeBody } from './receiver.ts'
import { madeSecrets, SocketClient } from './socket-client.ts'

const ACL = `
ann: {password: null, acl: {one: [a], two: [release]}, topics: [release]}
bob: {password: null, acl: {one: [b]}}
`

/** Whom the server knows, and how. */
interface Users {
  readonly server: InProcessServer
  readonly all: Secrets
  readonly ann: Secrets
  readonly bob: Secrets
}

async function started(type: 'token' | 'hmac', more = ''): Promise<Users & AsyncDisposable> {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-test-'))
  const [all, ann, bob] = [null, 'ann', 'bob'].map((name) => {
    const { secrets, file } = madeSecrets(name, type)
    writeFileSync(join(directory, `${name}.json`), file)
    return secrets
  }) as [Secrets, Secrets, Secrets]
  const config = `
server: {bind: 127.0.0.1, port: 0, backlog: {size: 1000}}
clients: {payloaders: [127.0.0.1], secure_topics: [release]}
protocols:
  lonelyps:
    secrets: ${directory}/null.json
    users: {ann: ${directory}/ann.json, bob: ${directory}/bob.json}
    webhooks: {allow: [127.0.0.1]}
${more}`
  const server = await startInProcess({ config, acl: ACL, directory })
  return { server, all, ann, bob, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

const EMPTY = new Uint8Array()

/** The status of a request that `who` has signed. */
async function asked(
  { url }: InProcessServer,
  who: Secrets,
  path: string,
  body: Uint8Array,
  about: Signed,
): Promise<{ readonly status: number; readonly body: Buffer; readonly text: string }> {
  const authorization = authorizationOf(who.toBroadcaster, about, EMPTY)
  return ask(url, path, body, authorization === null ? {} : { Authorization: authorization })
}

async function subscribed(
  server: InProcessServer,
  who: Secrets,
  url: string,
  topic: string,
): Promise<number> {
  const about = signed.subscribeExact(url, null, Buffer.from(topic))
  return (await asked(server, who, '/v1/subscribe/exact', subscribeBody(url, topic), about)).status
}

async function notified(server: InProcessServer, who: Secrets, topic: string, message: string) {
  const sha512 = hash('sha512', message, 'buffer')
  const about = signed.notify(Buffer.from(topic), Buffer.from('abcd'), sha512)
  return asked(server, who, '/v1/notify', notifyBody(topic, message), about)
}

async function published(server: InProcessServer, path: string, body: string): Promise<void> {
  const { status } = await fetch(server.url + path, { method: 'PUT', body })
  assert.equal(status, 202)
}

for (const type of ['token', 'hmac'] as const) {
  test(`${type}: private events come to whoever has the right, by webhook and by WebSocket`, async () => {
    await using users = await started(type)
    const { server } = users
    const got: Record<string, string[]> = {}
    await using stack = new AsyncDisposableStack()
    const ends: { name: string; receiver: Receiver; client: SocketClient }[] = []
    for (const name of ['all', 'ann', 'bob'] as const) {
      const receiver = stack.use(await Receiver.start(0, users[name]))
      const client = stack.use(await SocketClient.configured(server.url, users[name]))
      for (const topic of ['private/a', 'a']) {
        // Nobody in particular is told that nothing would come; a user may get the right later.
        const status = name === 'all' && topic === 'private/a' ? 403 : 200
        assert.equal(await subscribed(server, users[name], receiver.url, topic), status)
        await client.subscribeGlob(topic)
        await client.has('CONFIRM_SUBSCRIBE_GLOB', topic === 'a' ? 2 : 1)
      }
      ends.push({ name, receiver, client })
    }
    await published(server, '/private/a', '{"n": 1}')
    await published(server, '/a', '{"n": 2}')
    for (const { name, receiver, client } of ends) {
      const count = name === 'ann' ? 2 : 1
      await receiver.has(count)
      await client.has('RECEIVE_STREAM', count)
      got[name] = receiver.messages.map(String)
      assert.deepEqual(
        client.delivered.map((text) => text.split(' ').slice(1).join(' ')),
        got[name],
      )
    }
    assert.deepEqual(got, {
      all: ['{"n": 2}'],
      ann: ['{"n": 1}', '{"n": 2}'],
      bob: ['{"n": 2}'],
    })
  })

  test(`${type}: a reload of the ACL file takes rights away, and gives them`, async () => {
    await using users = await started(type)
    const { server, ann, bob } = users
    await using forAnn = await Receiver.start(0, ann)
    await using forBob = await Receiver.start(0, bob)
    using client = await SocketClient.configured(server.url, ann)
    await subscribed(server, ann, forAnn.url, 'private/a')
    await subscribed(server, bob, forBob.url, 'private/a')
    await client.subscribe('private/a')
    await published(server, '/private/a', '{"n": 1}')
    await forAnn.has(1)
    await client.has('RECEIVE_STREAM')
    server.reloadAcl('bob: {password: null, acl: {x: [a]}}\n')
    await published(server, '/private/a', '{"n": 2}')
    await forBob.has(1)
    const { body } = await notified(server, ann, 'private/a', '3')
    assert.equal(countOf(body), 1)
    assert.deepEqual(forAnn.messages, ['{"n": 1}'])
    assert.deepEqual(forBob.messages, ['{"n": 2}', '3'])
    assert.deepEqual(client.delivered, ['private/a {"n": 1}'])
  })

  test(`${type}: nobody changes, checks or adds to the subscriptions of another one`, async () => {
    await using users = await started(type)
    const { server, ann, bob, all } = users
    await using receiver = await Receiver.start(0, ann)
    const { url } = receiver
    assert.equal(await subscribed(server, ann, url, 'a'), 200)
    const list = { topics: [], globs: [] }
    const etag = strongEtag(url, list)
    const set = new ByteWriter().str16('').str16(url).u8(0).raw(etag).u32(0).u32(0).bytes()
    const check = new ByteWriter().str16('').str16(url).bytes()
    const topic = Buffer.from('a')
    for (const who of [bob, all])
      for (const [path, body, about] of [
        ['/v1/set_subscriptions', set, signed.setSubscriptions(url, etag)],
        ['/v1/check_subscriptions', check, signed.checkSubscriptions(url)],
        [
          '/v1/unsubscribe/exact',
          unsubscribeBody(url, 'a'),
          signed.subscribeExact(url, null, topic),
        ],
        ['/v1/subscribe/exact', subscribeBody(url, 'a'), signed.subscribeExact(url, null, topic)],
        [
          '/v1/subscribe/exact',
          subscribeBody(url, 'b'),
          signed.subscribeExact(url, null, Buffer.from('b')),
        ],
      ] as const) {
        const { status } = await asked(server, who, path, body, about)
        assert.equal(status, 403, `${who.name} ${path}`)
      }
    assert.equal(countOf((await notified(server, all, 'a', 'x')).body), 1)
    assert.equal(
      (await asked(server, ann, '/v1/check_subscriptions', check, signed.checkSubscriptions(url)))
        .status,
      200,
    )
  })

  test(`${type}: a list is refused before it is sent, if nobody is known to have signed it`, async () => {
    await using users = await started(type)
    const url = 'http://127.0.0.1:1/v1/receive'
    const head = new ByteWriter().str16('').str16(url).u8(0).raw(Buffer.alloc(64)).bytes()
    const refused = request(`${users.server.url}/-/lonelyps/v1/set_subscriptions`, {
      method: 'POST',
      headers: { 'Content-Length': 10_000_000 },
    })
    refused.on('error', () => {}).write(head)
    const [response] = await once(refused, 'response', { signal: AbortSignal.timeout(DEADLINE_MS) })
    assert.equal(response.statusCode, 401)
    refused.destroy()
  })

  test(`${type}: secured topics are for whoever may publish there, by both modes`, async () => {
    await using users = await started(type)
    const { server, ann, bob } = users
    assert.equal((await notified(server, ann, 'release/1', 'x')).status, 200)
    assert.equal((await notified(server, bob, 'release/1', 'x')).status, 403)
    assert.equal((await notified(server, bob, 'x/release', 'x')).status, 403)
    using client = await SocketClient.configured(server.url, ann)
    client.notify('release/1', 'x')
    await client.has('CONFIRM_NOTIFY')
    using refused = await SocketClient.configured(server.url, bob)
    const closed = refused.closed()
    refused.notify('release/1', 'x')
    assert.equal((await closed).code, 1008)
  })

  test(`${type}: without the right secret there is nothing, and a request that comes again is refused`, async () => {
    await using users = await started(type)
    const { server, ann } = users
    const body = notifyBody('a', 'x')
    assert.equal((await ask(server.url, '/v1/notify', body)).status, 401)
    const other = madeSecrets('ann', type).secrets
    assert.equal((await notified(server, other, 'a', 'x')).status, 403)
    const about = signed.notify(
      Buffer.from('a'),
      Buffer.from('abcd'),
      hash('sha512', 'x', 'buffer'),
    )
    const headers = { Authorization: authorizationOf(ann.toBroadcaster, about, EMPTY)! }
    const statuses = []
    for (let i = 0; i < 2; i++)
      statuses.push((await ask(server.url, '/v1/notify', body, headers)).status)
    assert.deepEqual(statuses, type === 'hmac' ? [200, 403] : [200, 200])
    await assert.rejects(SocketClient.configured(server.url, other), /1008/)
  })

  test(`${type}: a receiver that does not prove who it is has not got anything`, async () => {
    await using users = await started(type)
    const { server, ann, all } = users
    const { toBroadcaster } = madeSecrets('ann', type).secrets
    await using receiver = await Receiver.start(0, { ...ann, toBroadcaster })
    await subscribed(server, ann, receiver.url, 'a')
    assert.equal(countOf((await notified(server, all, 'a', 'x')).body), 0)
    assert.deepEqual(receiver.messages, ['x'])
  })
}
