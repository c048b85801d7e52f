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
  LOGINS_AT_ONCE,
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
  anna: { password: 'été', acl: { fruit: ['fruits'] } },
  renée: { password: 'a:b', acl: { fruit: ['fruits'] } },
  '': { password: 'nameless', acl: { fruit: ['fruits'] } },
  empty: { password: '', acl: { fruit: ['fruits'] } },
  none: { acl: { fruit: ['fruits'] } },
}

const lenient = sharedPubsub(
  { clients: { bad_credentials: 'anonymous' }, limits: LOGINS_AT_ONCE },
  USERS,
)
const strict = sharedPubsub(
  { clients: { bad_credentials: 'reject' }, limits: LOGINS_AT_ONCE },
  USERS,
)

function authorization(text: string): string {
  return `Authorization: ${text}`
}

/** As Python's requests and aiohttp send it. */
function latin1(name: string, password: string): string {
  return basic(name, password, 'latin1')
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
    'ISO-8859-1': latin1('zo\xeb', 'p\xe4ssw\xf6rd'),
    'ISO-8859-1 in the password alone': latin1('anna', '\xe9t\xe9'),
    'ISO-8859-1 in the name alone': latin1('ren\xe9e', 'a:b'),
    'UTF-8 that ISO-8859-1 would read otherwise': basic('anna', 'été'),
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
    'ISO-8859-1 of another password': latin1('zo\xeb', 'p\xe4ssw\xf6rt'),
    'ISO-8859-1 without a colon': authorization(
      `Basic ${Buffer.from('zo\xeb', 'latin1').toString('base64')}`,
    ),
    'bytes that only ISO-8859-1 reads as the name, before a UTF-8 password': latin1(
      'zo\xeb',
      Buffer.from('pässwörd').toString('latin1'),
    ),
    'U+FFFD for what is no UTF-8': basic('zo\ufffd', 'p\ufffdssw\ufffdrd'),
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

const RIGHT = basic('alice', 'wonderland')

function guess(n: number): string {
  return basic('alice', `guess-${n}`)
}

function from(address: string): string {
  return `X-Forwarded-For: ${address}`
}

describe('guessing', () => {
  const clients = { trust_proxy: ['127.0.0.1'], secure_topics: ['guarded'] }
  const limits = { login_delay: 0.2, login_refusal: 0.05 }
  const rejecting = sharedPubsub(
    { clients: { ...clients, bad_credentials: 'reject' }, limits },
    USERS,
  )
  const anonymous = sharedPubsub(
    { clients: { ...clients, bad_credentials: 'anonymous' }, limits },
    USERS,
  )
  test('has few answers, on one connection as on many; the rest is told to come again, and one line is logged', async () => {
    await using pipelined = await RawClient.open(rejecting().port)
    const here = from('192.0.2.1')
    const puts = Array.from({ length: 100 }, (_, n) => put('/guarded', '{}', [guess(n), here]))
    pipelined.send(Buffer.concat(puts))
    const connections = await Promise.all(puts.map(() => RawClient.open(rejecting().port)))
    const others = await Promise.all(
      connections.map((client, n) => client.ask(get('/', guess(1_000 + n), here))),
    )
    for (const client of connections) await client[Symbol.asyncDispose]()
    const answers = [...others]
    for (let n = 0; n < puts.length; n++) answers.push(await pipelined.answer())
    const refused = answers.filter(({ status }) => status === 401)
    const postponed = answers.filter(({ status }) => status === 429)
    assert.equal(refused.length + postponed.length, answers.length)
    assert.ok(refused.length <= 50, `${refused.length} guesses were judged`)
    for (const { headers, body } of postponed) {
      assert.match(headers['retry-after'] ?? '', /^\d+$/)
      assert.match(body, /limits\.login_delay/)
    }
    const lines = rejecting()
      .output()
      .match(/.*alice.*192\.0\.2\.1.*/g)
    assert.equal(lines?.length, 1)
    assert.doesNotMatch(rejecting().output(), /guess-/)
  })

  test('does not lock out the right password from another address', async () => {
    await using client = await RawClient.open(rejecting().port)
    for (let n = 0; n < 4; n++)
      await client.ask(get('/-/visitor', guess(n), from('2001:db8:1:2::1')))
    await using other = await RawClient.open(rejecting().port)
    const { status, body } = await other.ask(get('/-/visitor', RIGHT, from('2001:db8:1:3::1')))
    assert.equal(status, 200)
    assert.match(body, /"user":"alice"/)
  })

  test('where bad credentials are anonymous: all streams start, and secure topics stay closed', async () => {
    const here = from('198.51.100.1')
    const streams = await Promise.all(
      Array.from({ length: 50 }, (_, n) => listen(anonymous(), '/', guess(n), here)),
    )
    for (const stream of streams) await stream[Symbol.asyncDispose]()
    await using client = await RawClient.open(anonymous().port)
    const { status } = await client.ask(put('/guarded', '{}', [guess(99), here]))
    assert.equal(status, 403)
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
    assert.deepEqual(await own.stop(), { code: 0, signal: null })
  })
})
