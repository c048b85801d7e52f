import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { Attribute, Change, Client } from 'ldapts'
import { DEADLINE_MS } from '../deadline.ts'
import { ANONYMOUS } from '../../src/auth/identity.ts'
import type { LdapGrant } from '../../src/auth/ldap-directory.ts'
import { OptionError } from '../../src/auth/option-error.ts'
import {
  acceptedLogin,
  authenticatorContract,
  changesOf,
  logIn,
} from '../contracts/authenticator.ts'
import { openDirectory, WAYS } from './ldap-directory.ts'
import { missing } from '../programs.ts'
import { ownSlapdTest, sharedSlapd } from './shared-slapd.ts'
import { BASE_DN, GROUPS, type Slapd, startSlapd, USER_DN, USERS } from './slapd.ts'

for (const [way, options] of Object.entries(WAYS))
  authenticatorContract(
    `LdapDirectory (${way})`,
    async () => {
      const slapd = await startSlapd()
      const segments = new Map([['orchard', ['fruits']]])
      const acl = new Map([[GROUPS.committers, { segments, secureTopics: ['releases'] }]])
      const directory = openDirectory({ uri: slapd.uri, acl, ...options })
      return {
        authenticator: directory,
        changePassword: (name, password) => replace(slapd, dnOf(name), 'userPassword', password),
        withdrawRights: () => replace(slapd, GROUPS.committers, 'member', `cn=nobody,${BASE_DN}`),
        remove: (name) => slapd.asAdmin((client) => client.del(dnOf(name))),
        async [Symbol.asyncDispose]() {
          await directory[Symbol.asyncDispose]()
          await slapd[Symbol.asyncDispose]()
        },
      }
    },
    { skip: missing('slapd') },
  )

const sharedTest = sharedSlapd()

sharedTest(
  'whatever is in a name, its user logs in and gets the rights of its groups',
  async (slapd) => {
    await using directory = openDirectory(slapd)
    const expected: Record<string, readonly string[]> = {
      alice: ['board', 'committers'],
      bob: [],
      carol: ['mailers'],
      ' space ': ['odd'],
      'Jürgen Müßig': ['odd'],
    }
    for (const [name, password] of USERS) {
      const { identity } = await acceptedLogin(directory, name, password)
      const segments = (expected[name] ?? ['odd', 'oddPosix']).map((group) => [group])
      assert.equal(identity.rights.key, segments.length === 0 ? '' : JSON.stringify(segments), name)
    }
  },
)

sharedTest('a name that would mean more than a name is refused', async (slapd) => {
  await using directory = openDirectory(slapd)
  for (const name of [
    '*',
    'a*',
    'alice)(uid=*',
    'alice,ou=people',
    `alice,ou=people,${BASE_DN}`,
    'alice+cn=somebody',
    'EXTERNAL',
    'PLAIN',
    '%s',
    '$&',
    'a\r\nb',
  ])
    assert.equal((await logIn(directory, name, 'alice-secret')).type, 'refused', name)
})

sharedTest('a name that is all of the bind name is never a SASL mechanism', async (slapd) => {
  await using directory = openDirectory({ ...slapd, userDn: '%s' })
  for (const name of ['EXTERNAL', 'PLAIN'])
    assert.equal((await logIn(directory, name, 'x')).type, 'refused')
})

sharedTest(
  'an empty password is refused without asking, though the directory would accept it',
  async (slapd) => {
    const client = new Client({ url: slapd.uri })
    await client.bind(dnOf('alice'), '')
    await client.unbind()
    const binds = await slapd.logged(/BIND/)
    await using directory = openDirectory(slapd)
    for (const password of ['', '\0', '\0alice-secret'])
      assert.equal((await logIn(directory, 'alice', password)).type, 'refused')
    for (const name of ['', '\0', 'alice\0'])
      assert.equal((await logIn(directory, name, 'alice-secret')).type, 'refused')
    assert.equal(await slapd.logged(/BIND/), binds)
  },
)

sharedTest(
  'the DNs of the acl are compared without regard to case and spaces, users’ own included',
  async (slapd) => {
    const acl = new Map([
      [GROUPS.committers.toUpperCase().replaceAll(',', ' , '), grantOf('group')],
      [' UID = Alice,ou=People,  dc=example,DC=org', grantOf('own')],
      [GROUPS.odd, grantOf('other')],
    ])
    await using directory = openDirectory({ ...slapd, acl })
    const { identity } = await acceptedLogin(directory, 'alice', 'alice-secret')
    assert.equal(identity.rights.key, '[["group"],["own"]]')
    assert.deepEqual(identity.secureTopics, new Set(['group', 'own']))
  },
)

sharedTest(
  'ldaps and StartTLS are spoken with a directory that the CA vouches for',
  async (slapd) => {
    for (const options of [
      { uri: slapd.ldapsUri, ca: slapd.caPem },
      { uri: slapd.ldapsUri.replace('127.0.0.1', 'localhost'), ca: slapd.caPem },
      { uri: slapd.uri, startTls: true, ca: slapd.caPem },
      { uri: slapd.uri.replace('127.0.0.1', 'localhost'), startTls: true, ca: slapd.caPem },
    ]) {
      await using directory = openDirectory(options)
      for (const name of ['alice', 'carol']) await acceptedLogin(directory, name, `${name}-secret`)
      assert.equal((await logIn(directory, 'bob', 'wrong')).type, 'refused')
    }
  },
)

sharedTest('a directory that no trusted CA vouches for is not told a password', async (slapd) => {
  const binds = await slapd.logged(/BIND/)
  for (const options of [{ uri: slapd.ldapsUri }, { uri: slapd.uri, startTls: true }]) {
    const log: string[] = []
    await using directory = openDirectory({ ...options, log })
    assert.equal((await logIn(directory, 'alice', 'alice-secret')).type, 'unavailable')
    assert.match(
      log.join('\n'),
      /^warn: LDAP directory ldaps?:\/\/127\.0\.0\.1:\d+ cannot be asked: .*certificate/,
    )
  }
  assert.equal(await slapd.logged(/BIND/), binds)
})

sharedTest(
  'a directory whose certificate is for another host is not told a password',
  async (slapd) => {
    for (const [uri, startTls] of [
      [slapd.ldapsUri, false],
      [slapd.uri, true],
    ] as const) {
      const relay = (socket: Socket) => {
        const onward = connect(Number(new URL(uri).port), '127.0.0.1').on('error', () => {})
        socket.pipe(onward).pipe(socket)
      }
      await using server = await startServer(relay, '127.0.0.2')
      const log: string[] = []
      await using directory = openDirectory({
        uri: server.uri.replace('ldap:', new URL(uri).protocol),
        startTls,
        ca: slapd.caPem,
        log,
      })
      assert.equal((await logIn(directory, 'alice', 'alice-secret')).type, 'unavailable')
      assert.match(log.join(), /does not match certificate/)
    }
  },
)

sharedTest('equal logins at the same time share a question', async (slapd) => {
  const binds = await slapd.logged(/BIND dn=.*method/)
  await using directory = openDirectory(slapd)
  await Promise.all(
    Array.from({ length: 20 }, () => acceptedLogin(directory, 'alice', 'alice-secret')),
  )
  assert.equal((await slapd.logged(/BIND dn=.*method/)) - binds, 1)
})

sharedTest('answers are kept for a while, refusals too', async (slapd) => {
  const binds = await slapd.logged(/BIND dn=.*method/)
  await using directory = openDirectory({ ...slapd, cacheMs: 60_000 })
  for (let i = 0; i < 3; i++) {
    await acceptedLogin(directory, 'alice', 'alice-secret')
    assert.equal((await logIn(directory, 'alice', 'wrong')).type, 'refused')
  }
  assert.equal((await slapd.logged(/BIND dn=.*method/)) - binds, 2)
})

sharedTest('connections are few and used again', async (slapd) => {
  const accepted = await slapd.logged(/ACCEPT/)
  await using directory = openDirectory({ ...slapd, connectionsMax: 3 })
  for (let round = 0; round < 3; round++)
    await Promise.all(
      Array.from(USERS, ([name, password]) => acceptedLogin(directory, name, password)),
    )
  assert.equal((await slapd.logged(/ACCEPT/)) - accepted, 3)
})

sharedTest('a login on a used connection has only its own rights', async (slapd) => {
  await using directory = openDirectory({ ...slapd, connectionsMax: 1 })
  await acceptedLogin(directory, 'alice', 'alice-secret')
  const { identity } = await acceptedLogin(directory, 'bob', 'bob-secret')
  assert.deepEqual([identity.name, identity.rights.seesNothing], ['bob', true])
  assert.equal((await logIn(directory, 'alice', 'bob-secret')).type, 'refused')
})

for (const startTls of [false, true])
  ownSlapdTest(
    `a restarted directory is asked on new connections (StartTLS: ${startTls})`,
    async (slapd) => {
      await using directory = openDirectory({ ...slapd, startTls, ca: slapd.caPem })
      for (let i = 0; i < 2; i++) {
        await acceptedLogin(directory, 'alice', 'alice-secret')
        await slapd.stop()
        await slapd.start()
      }
      await acceptedLogin(directory, 'alice', 'alice-secret')
    },
  )

ownSlapdTest('an open login holds through a short outage, which is told once', async (slapd) => {
  const log: string[] = []
  await using directory = openDirectory({ ...slapd, log })
  const login = await acceptedLogin(directory, 'alice', 'alice-secret')
  const told = changesOf(login)
  await slapd.stop()
  for (let i = 0; i < 3; i++)
    assert.equal((await logIn(directory, 'bob', 'bob-secret')).type, 'unavailable')
  await slapd.start()
  await acceptedLogin(directory, 'bob', 'bob-secret')
  assert.deepEqual(told.all, [])
  await replace(slapd, GROUPS.committers, 'member', `cn=nobody,${BASE_DN}`)
  assert.equal((await told.next()).rights.key, '[["board"]]')
  assert.equal(log.length, 2)
  assert.match(log[0] ?? '', /^warn: LDAP directory ldap:\S+ cannot be asked: \S/)
  assert.match(log[1] ?? '', /^info: LDAP directory ldap:\S+ answers again$/)
})

ownSlapdTest('an open login ends when the directory stays away', async (slapd) => {
  await using directory = openDirectory({ ...slapd, recheckMs: 100, graceMs: 400 })
  const login = await acceptedLogin(directory, 'alice', 'alice-secret')
  const told = changesOf(login)
  const stoppedAtMs = performance.now()
  await slapd.stop()
  assert.equal(await told.next(), ANONYMOUS)
  assert.ok(performance.now() - stoppedAtMs > 300)
  await slapd.start()
  await acceptedLogin(directory, 'alice', 'alice-secret')
  assert.equal(login.identity, ANONYMOUS)
})

ownSlapdTest('nobody asks again for a login that nobody listens to', async (slapd) => {
  await using directory = openDirectory({ ...slapd, recheckMs: 10 })
  const login = await acceptedLogin(directory, 'alice', 'alice-secret')
  const listening = login.onChange(() => {})
  const witness = await acceptedLogin(directory, 'bob', 'bob-secret')
  listening[Symbol.dispose]()
  const isAlice = /BIND dn="uid=alice,.*method/
  const binds = await slapd.logged(isAlice)
  const told = changesOf(witness)
  await slapd.asAdmin((client) => client.del(dnOf('bob')))
  await told.next()
  assert.ok((await slapd.logged(isAlice)) - binds <= 1, 'one question may have been on its way')
})

test('a directory that is not there is unavailable', async () => {
  await using server = await startServer(() => {})
  await server[Symbol.asyncDispose]()
  await using directory = openDirectory(server)
  assert.equal((await logIn(directory, 'alice', 'alice-secret')).type, 'unavailable')
})

const mute: Record<string, (socket: Socket) => void> = {
  'closes at once': (socket) => socket.destroy(),
  'hangs up when asked': (socket) => socket.once('data', () => socket.end()),
  'answers garbage': (socket) =>
    socket.on('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')),
  'says nothing': (socket) => socket.resume(),
  'accepts the password and then says nothing': (socket) =>
    socket.once('data', () => socket.write(BIND_ACCEPTED)),
  'sends its answer byte by byte': (socket) =>
    socket.once('data', () => {
      const drip = setInterval(() => socket.write(Buffer.of(0x30)), 20)
      socket.on('close', () => clearInterval(drip))
    }),
}

for (const [behaviour, behave] of Object.entries(mute))
  for (const secured of ['ldap', 'ldaps', 'StartTLS'])
    test(`a directory that ${behaviour} is unavailable in time (${secured})`, async () => {
      await using server = await startServer(behave)
      const uri = secured === 'ldaps' ? server.uri.replace('ldap', 'ldaps') : server.uri
      const log: string[] = []
      await using directory = openDirectory({
        uri,
        startTls: secured === 'StartTLS',
        timeoutMs: 300,
        connectionsMax: 1,
        log,
      })
      // The second one waits for the only connection first.
      const results = await Promise.all([
        logIn(directory, 'alice', 'alice-secret'),
        logIn(directory, 'bob', 'bob-secret'),
      ])
      assert.deepEqual(
        results.map(({ type }) => type),
        ['unavailable', 'unavailable'],
      )
      assert.equal(log.length, 1)
      assert.doesNotMatch(log.join(), /secret/)
    })

test('a directory that accepts StartTLS and then says nothing is unavailable in time', async () => {
  await using server = await startServer((socket) =>
    socket.once('data', () => socket.write(STARTTLS_ACCEPTED)),
  )
  await using directory = openDirectory({ ...server, startTls: true, timeoutMs: 300 })
  assert.equal((await logIn(directory, 'alice', 'alice-secret')).type, 'unavailable')
})

test('a password is never sent before StartTLS succeeded', async () => {
  const received: Buffer[] = []
  for (const answer of [STARTTLS_REFUSED, STARTTLS_ACCEPTED, BIND_ACCEPTED]) {
    await using server = await startServer((socket) =>
      socket.on('data', (chunk) => received.push(chunk)).once('data', () => socket.end(answer)),
    )
    await using directory = openDirectory({ ...server, startTls: true, timeoutMs: 500 })
    assert.equal((await logIn(directory, 'alice', 'alice-secret')).type, 'unavailable')
  }
  const all = Buffer.concat(received).toString('latin1')
  assert.match(all, /1\.3\.6\.1\.4\.1\.1466\.20037/)
  assert.doesNotMatch(all, /alice/)
})

test('a directory without StartTLS is not away, and its answer is named', async () => {
  await using server = await startServer((socket) =>
    socket.once('data', () => socket.write(STARTTLS_REFUSED)),
  )
  const log: string[] = []
  await using directory = openDirectory({ ...server, startTls: true, log })
  assert.deepEqual(await logIn(directory, 'alice', 'alice-secret'), {
    type: 'unavailable',
    reason: 'answers protocolError (2) to this server',
  })
  assert.match(log.join(), /^warn: LDAP directory \S+ answers protocolError \(2\) to StartTLS$/)
})

test('when too many of an address are waiting, more are postponed at once, and those of others are not', async () => {
  await using server = await startServer((socket) => socket.resume())
  const log: string[] = []
  const directory = openDirectory({ ...server, timeoutMs: 10 * DEADLINE_MS, log })
  const from = (address: string) => (_: unknown, n: number) =>
    logIn(directory, `user${n}`, address, address)
  const waiting = Array.from({ length: 1_002 }, from('2001:db8::1'))
  assert.equal((await logIn(directory, 'alice', 'x', '2001:db8::2')).type, 'postponed')
  const others = Array.from({ length: 20 }, from('192.0.2.2'))
  const postponed = await Promise.all(waiting.slice(-20))
  assert.ok(postponed.every(({ type }) => type === 'postponed'))
  await directory[Symbol.asyncDispose]()
  for (const result of await Promise.all([...waiting.slice(0, -20), ...others]))
    assert.equal(result.type, 'unavailable')
  assert.match(log.join(), /^warn: 1000 log-ins wait .*limits\.waiting_logins/)
})

/** In front of a directory: what it answers is held back until `release`. */
async function startHeldDirectory({ port }: Slapd) {
  let held = Promise.withResolvers<void>()
  /** Whom the directory was asked about, in that order. */
  const asked: string[] = []
  const server = await startServer((socket) => {
    const directory = connect(port, '127.0.0.1')
    socket.on('data', (chunk) => {
      for (const [, name] of chunk.toString('latin1').matchAll(/uid=(\w+)/g)) asked.push(name!)
    })
    directory.on('error', () => socket.destroy()).on('close', () => socket.destroy())
    socket.on('close', () => directory.destroy()).pipe(directory)
    directory.on('data', (chunk) => void held.promise.then(() => socket.write(chunk)))
  })
  const hold = () => {
    held = Promise.withResolvers<void>()
  }
  return { ...server, asked, hold, release: () => held.resolve() }
}

sharedTest(
  'behind many log-ins of an address, whoever comes from another one waits for one turn of it',
  async (slapd) => {
    await using server = await startHeldDirectory(slapd)
    await using directory = openDirectory({ ...server, timeoutMs: DEADLINE_MS })
    const guesses = Array.from({ length: 500 }, (_, n) =>
      logIn(directory, 'bob', `guess ${n}`, '192.0.2.1'),
    )
    const honest = [
      logIn(directory, 'alice', 'alice-secret', '192.0.2.2'),
      logIn(directory, 'carol', 'carol-secret', '2001:db8::1'),
    ]
    server.release()
    for (const { type } of await Promise.all(honest)) assert.equal(type, 'accepted')
    await Promise.all(guesses)
    // By what is asked, as a busy machine answers in any order: some guesses are on their way from the beginning.
    for (const name of ['alice', 'carol']) {
      const earlier = server.asked.indexOf(name)
      assert.ok(earlier >= 0 && earlier < 25, `${earlier} others came before ${name}`)
    }
  },
)

ownSlapdTest('however many log in, open logins are asked again before them', async (slapd) => {
  await using server = await startHeldDirectory(slapd)
  await using directory = openDirectory({ ...server, recheckMs: 10, timeoutMs: DEADLINE_MS })
  server.release()
  const told = changesOf(await acceptedLogin(directory, 'alice', 'alice-secret'))
  server.hold() // so that none of the guesses is answered before the user has gone, however busy the machine is
  let refused = 0
  const guesses = Array.from({ length: 1_000 }, (_, n) =>
    logIn(directory, 'bob', `guess ${n}`, '192.0.2.1').then(() => refused++),
  )
  await slapd.asAdmin((client) => client.del(dnOf('alice')))
  server.release()
  assert.equal(await told.next(), ANONYMOUS)
  assert.ok(refused < 1_000, 'those who came before were answered first')
  await Promise.all(guesses)
})

sharedTest('after disposal nothing keeps the process alive', async (slapd) => {
  const script = `
    import { openDirectory } from '${new URL('ldap-directory.ts', import.meta.url).href}'
    const alice = { type: 'password', name: 'alice', password: 'alice-secret' }
    const directory = openDirectory({ uri: '${slapd.uri}', startTls: true, ca: process.env.CA })
    const result = await directory.authenticate(alice, null)
    result.login.onChange(() => {})
    await directory[Symbol.asyncDispose]()
    console.log(result.type, await directory.authenticate(alice, null))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, CA: slapd.caPem },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 10_000,
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += String(chunk)
  })
  assert.deepEqual(await once(child, 'close'), [0, null])
  assert.match(output, /^accepted \{ type: 'unavailable'/)
})

test('options that cannot work are refused', async () => {
  const grant = { segments: new Map(), secureTopics: [] }
  for (const options of [
    { uri: 'http://127.0.0.1' },
    { uri: 'ldap://' },
    { uri: 'ldap://a ldap://b' },
    { uri: 'ldaps://127.0.0.1', startTls: true },
    { ca: 'no certificate' },
    { userDn: 'uid=alice' },
    { userDn: 'uid=%s,cn=%s' },
    { membershipPatterns: ['(uid=alice)'] },
    { acl: new Map([['committers', grant]]) },
    {
      acl: new Map([
        ['cn=a,dc=x', grant],
        ['CN=A, dc=x', grant],
      ]),
    },
  ])
    assert.throws(() => openDirectory({ uri: 'ldap://127.0.0.1', ...options }), OptionError)
})

function grantOf(topic: string): LdapGrant {
  return { segments: new Map([[topic, [topic]]]), secureTopics: [topic] }
}

function dnOf(name: string): string {
  return USER_DN.replace('%s', name)
}

function replace(slapd: Slapd, dn: string, type: string, value: string): Promise<void> {
  const modification = new Attribute({ type, values: [value] })
  return slapd.asAdmin((client) =>
    client.modify(dn, new Change({ operation: 'replace', modification })),
  )
}

/** LDAP messages 2: a bind response and extended responses, as bytes. */
const BIND_ACCEPTED = Buffer.from('300c02010261070a010004000400', 'hex')
const STARTTLS_ACCEPTED = Buffer.from('300c02010278070a010004000400', 'hex')
const STARTTLS_REFUSED = Buffer.from('300c02010278070a010204000400', 'hex')

/** Plays a directory. */
async function startServer(
  behave: (socket: Socket) => void,
  host = '127.0.0.1',
): Promise<{ uri: string } & AsyncDisposable> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    behave(socket)
  })
  server.listen(0, host)
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return {
    uri: `ldap://${host}:${address.port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      if (server.listening) {
        server.close()
        await once(server, 'close')
      }
    },
  }
}
