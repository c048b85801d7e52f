import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { RunningServer } from '../../running-server.ts'
import { RawClient } from '../raw-client.ts'
import {
  basic,
  eventsUpToNow,
  get,
  listen,
  publish,
  put,
  RECEIVED,
  seesPrivate,
  sharedPubsub,
  startPubsub,
} from '../requests.ts'

const USERS = {
  alice: { password: 'wonderland', acl: { fruit: ['fruits'] } },
  colon: { password: 'a:b::', acl: { fruit: ['fruits'] } },
  zoë: { password: 'pässwörd', acl: { fruit: ['fruits'] } },
  '': { password: 'nameless', acl: { fruit: ['fruits'] } },
  empty: { password: '', acl: { fruit: ['fruits'] } },
  none: { acl: { fruit: ['fruits'] } },
}

const lenient = sharedPubsub({ clients: { bad_credentials: 'anonymous' } }, USERS)
const strict = sharedPubsub({ clients: { bad_credentials: 'reject' } }, USERS)

function authorization(text: string): string {
  return `Authorization: ${text}`
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

describe('credentials that hold', () => {
  const good: Readonly<Record<string, string>> = {
    'a name and its password': basic('alice', 'wonderland'),
    'the scheme in lower case': authorization(`basic ${base64('alice:wonderland')}`),
    'the scheme in capitals': authorization(`BASIC ${base64('alice:wonderland')}`),
    'a password with colons': basic('colon', 'a:b::'),
    'UTF-8': basic('zoë', 'pässwörd'),
    'an empty name': basic('', 'nameless'),
  }
  for (const [what, header] of Object.entries(good))
    test(what, async () => {
      for (const server of [lenient(), strict()]) assert.ok(await seesPrivate(server, header))
    })
})

describe('credentials that do not hold', () => {
  const bad: Readonly<Record<string, string>> = {
    'a wrong password': basic('alice', 'wonder'),
    'a password in other case': basic('alice', 'Wonderland'),
    'an unknown name': basic('bob', 'wonderland'),
    'a name in other case': basic('Alice', 'wonderland'),
    'no password': basic('alice', ''),
    'no password where none is set': basic('none', ''),
    'an empty password where that is set': basic('empty', ''),
    'the name of a member of every object': basic('constructor', ''),
    'another scheme': authorization('Bearer abcdef'),
    'no scheme': authorization(base64('alice:wonderland')),
    'nothing behind the scheme': authorization('Basic'),
    'no Base64': authorization('Basic :::'),
    'no colon': authorization(`Basic ${base64('alice')}`),
    'an empty header': authorization(''),
    'Latin-1': authorization(
      `Basic ${Buffer.from('zo\xeb:p\xe4ssw\xf6rd', 'latin1').toString('base64')}`,
    ),
    'control characters': basic('alice', 'wonder\0land\r\n'),
    'very long ones': basic('a'.repeat(20_000), 'b'.repeat(20_000)),
  }
  for (const [what, header] of Object.entries(bad)) {
    test(`${what}: anonymous, as PyPubSub`, async () => {
      assert.equal(await seesPrivate(lenient(), header), false)
      await publish(lenient(), '/a', {}, header)
    })

    test(`${what}: 401 with a challenge, where that is set`, async () => {
      await using client = await RawClient.open(strict().port)
      for (const bytes of [get('/', header), put('/a', '{}', [header])]) {
        const { status, headers, body } = await client.ask(bytes)
        assert.equal(status, 401)
        assert.match(headers['www-authenticate'] ?? '', /^Basic realm="/)
        assert.doesNotMatch(body, /wonder|alice/)
      }
      assert.equal((await client.ask(put('/a', '{}'))).body, RECEIVED)
    })
  }

  test('no credentials are nothing wrong', async () => {
    assert.equal(await seesPrivate(strict()), false)
  })

  test('none of them is printed', () => {
    for (const server of [lenient(), strict()])
      assert.doesNotMatch(server.output(), /wonder|nameless|abcdef/)
  })
})

describe('a directory that accepts connections and is silent', () => {
  let directory: Server
  let server: RunningServer
  const sockets = new Set<Socket>()
  before(async () => {
    directory = createServer((socket) => {
      sockets.add(socket.on('error', () => {}))
    }).listen(0, '127.0.0.1')
    await once(directory, 'listening')
    const ldap = {
      uri: `ldap://127.0.0.1:${(directory.address() as AddressInfo).port}`,
      user_dn: 'uid=%s,dc=example',
      base_scope: 'dc=example',
      acl: {},
      timeout: 1,
    }
    server = await startPubsub({ clients: { bad_credentials: 'reject', ldap } })
  })
  after(async () => {
    await server?.[Symbol.asyncDispose]()
    for (const socket of sockets) socket.destroy()
    directory.close()
  })

  test('delays nobody else, and who waits for it is answered in time', async () => {
    await using stream = await listen(server)
    await using waiting = await RawClient.open(server.port)
    await using publisher = await RawClient.open(server.port)
    waiting.send(get('/', basic('alice', 'secret')))
    publisher.send(put('/late', '{}', [basic('alice', 'secret')]))
    const answers = Promise.all([waiting.answer(), publisher.answer()])
    let answered = false
    void answers.finally(() => {
      answered = true
    })
    for (let n = 0; n < 20; n++) {
      await publish(server, '/a', { n })
      assert.equal((await stream.event()).json.n, n)
    }
    assert.equal(answered, false)
    for (const { status } of await answers) assert.equal(status, 503)
    assert.deepEqual(await eventsUpToNow(server, stream), [[]])
  })

  test('does not hold up the end of the server', async () => {
    await using own = await startPubsub({
      clients: {
        ldap: {
          uri: `ldap://127.0.0.1:${(directory.address() as AddressInfo).port}`,
          user_dn: 'uid=%s,dc=example',
          base_scope: 'dc=example',
          acl: {},
        },
      },
    })
    await using waiting = await RawClient.open(own.port)
    waiting.send(get('/', basic('alice', 'secret')))
    while (sockets.size === 0) await once(directory, 'connection')
    const startMs = performance.now()
    assert.deepEqual(await own.stop(), { code: 0, signal: null })
    assert.ok(performance.now() - startMs < 3_000)
  })
})
