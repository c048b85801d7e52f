import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { RunningServer } from '../../running-server.ts'
import {
  BASE_DN,
  GROUPS,
  MEMBERSHIP_PATTERNS,
  SLAPD_MISSING,
  startSlapd,
  USER_DN,
  type Slapd,
} from '../../auth/slapd.ts'
import { RawClient } from '../raw-client.ts'
import {
  basic,
  eventsUpToNow,
  get,
  listen,
  NOT_ALLOWED,
  publish,
  put,
  RECEIVED,
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

/** Whether a stream with these headers shows a private event that `USERS` may see. */
async function seesPrivate(server: RunningServer, ...headers: readonly string[]) {
  await using stream = await listen(server, '/', ...headers)
  await publish(server, '/private/fruits', { n: 1 })
  const [events] = await eventsUpToNow(server, stream)
  return events?.length === 1
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

describe('users of an LDAP directory', { skip: SLAPD_MISSING }, () => {
  let slapd: Slapd
  let rejecting: RunningServer
  let anonymous: RunningServer
  before(async () => {
    slapd = await startSlapd()
    const ldap = {
      uri: slapd.uri,
      user_dn: USER_DN,
      base_scope: BASE_DN,
      membership_patterns: MEMBERSHIP_PATTERNS,
      acl: { [GROUPS.committers]: { fruit: ['fruits'], topics: ['guarded'] } },
      cache: 0,
    }
    const acl = { bob: { password: 'file', acl: { fruit: ['fruits'] } } }
    const clients = { secure_topics: ['guarded'], ldap }
    ;[rejecting, anonymous] = await Promise.all([
      startPubsub({ clients: { ...clients, bad_credentials: 'reject' } }, acl),
      startPubsub({ clients }, acl),
    ])
  })
  after(async () => {
    await rejecting?.[Symbol.asyncDispose]()
    await anonymous?.[Symbol.asyncDispose]()
    await slapd?.[Symbol.asyncDispose]()
  })

  const ALICE = basic('alice', 'alice-secret')

  test('see the private events of their groups', async () => {
    assert.ok(await seesPrivate(rejecting, ALICE))
    assert.equal(await seesPrivate(rejecting, basic('carol', 'carol-secret')), false)
  })

  test('publish to the secure topics of their groups', async () => {
    await publish(rejecting, '/guarded', {}, ALICE)
    await using client = await RawClient.open(rejecting.port)
    const { body } = await client.ask(put('/guarded', '{}', [basic('carol', 'carol-secret')]))
    assert.equal(body, NOT_ALLOWED)
  })

  test('are refused, or nobody in particular, with a wrong or an empty password', async () => {
    for (const password of ['wrong', '']) {
      await using client = await RawClient.open(rejecting.port)
      assert.equal((await client.ask(get('/', basic('alice', password)))).status, 401)
      assert.equal(await seesPrivate(anonymous, basic('alice', password)), false)
    }
  })

  test('come after those of the file: a name found there is not asked for', async () => {
    assert.ok(await seesPrivate(rejecting, basic('bob', 'file')))
    const asked = await slapd.logged(/BIND dn="uid=bob/)
    await using client = await RawClient.open(rejecting.port)
    assert.equal((await client.ask(get('/', basic('bob', 'bob-secret')))).status, 401)
    assert.equal(await slapd.logged(/BIND dn="uid=bob/), asked)
  })

  test('are not asked for where that cannot change the outcome', async () => {
    const asked = await slapd.logged(/BIND dn="uid=alice/)
    await publish(anonymous, '/a', {}, ALICE)
    await using client = await RawClient.open(anonymous.port)
    assert.equal((await client.ask(put('/-/a', '{}', [ALICE]))).status, 400)
    assert.equal(await slapd.logged(/BIND dn="uid=alice/), asked)
    await publish(anonymous, '/guarded', {}, ALICE)
    assert.ok((await slapd.logged(/BIND dn="uid=alice/)) > asked)
  })

  test('while the directory is away: 503, or nobody in particular; those of the file log in', async () => {
    await slapd.stop()
    try {
      await using client = await RawClient.open(rejecting.port)
      for (const bytes of [get('/', ALICE), put('/a', '{}', [ALICE])]) {
        const { status, headers } = await client.ask(bytes)
        assert.equal(status, 503)
        assert.match(headers['retry-after'] ?? '', /^\d+$/)
      }
      assert.equal(await seesPrivate(anonymous, ALICE), false)
      assert.ok(await seesPrivate(rejecting, basic('bob', 'file')))
    } finally {
      await slapd.start()
    }
    assert.ok(await seesPrivate(rejecting, ALICE))
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
