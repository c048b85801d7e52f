import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  BASE_DN,
  GROUPS,
  MEMBERSHIP_PATTERNS,
  SERVICE,
  startSlapd,
  USER_DN,
  type Slapd,
} from '../../auth/slapd.ts'
import { TemporaryFiles } from '../../config/temporary-files.ts'
import { missing } from '../../programs.ts'
import type { RunningServer } from '../../running-server.ts'
import { RawClient } from '../raw-client.ts'
import {
  basic,
  get,
  LOGINS_AT_ONCE,
  NOT_ALLOWED,
  publish,
  put,
  seesPrivate,
  startPubsub,
} from '../requests.ts'

describe('users of an LDAP directory', { skip: missing('slapd') }, () => {
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
      acl: {
        [GROUPS.committers]: { fruit: ['fruits'], topics: ['guarded'] },
        [GROUPS.odd]: { fruit: ['fruits'] },
      },
      cache: 0,
    }
    const acl = { bob: { password: 'file', acl: { fruit: ['fruits'] } } }
    const clients = { secure_topics: ['guarded'], ldap }
    ;[rejecting, anonymous] = await Promise.all([
      startPubsub(
        { clients: { ...clients, bad_credentials: 'reject' }, limits: LOGINS_AT_ONCE },
        acl,
      ),
      startPubsub({ clients, limits: LOGINS_AT_ONCE }, acl),
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

  test('whose names and passwords are not ASCII log in by UTF-8 and by ISO-8859-1', async () => {
    for (const encoding of ['utf8', 'latin1'] as const)
      assert.ok(await seesPrivate(rejecting, basic('Jürgen Müßig', 'pässwörd', encoding)))
  })

  test('publish to the secure topics of their groups', async () => {
    await publish(rejecting, '/guarded', {}, ALICE)
    await using client = await RawClient.open(rejecting.port)
    const { body } = await client.ask(put('/guarded', '{}', [basic('carol', 'carol-secret')]))
    assert.equal(body, NOT_ALLOWED)
  })

  test('are refused, or anonymous, with a wrong or an empty password', async () => {
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

  test('while the directory is away: 503, or anonymous; those of the file log in', async () => {
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

describe('users of an LDAP directory that are searched for', { skip: missing('slapd') }, () => {
  const files = new TemporaryFiles()
  let slapd: Slapd
  let server: RunningServer
  let misled: RunningServer
  before(async () => {
    slapd = await startSlapd({ groupsOfBob: ['readers'] })
    const readers = `cn=readers,ou=groups,${BASE_DN}`
    const ldap = {
      uri: slapd.uri,
      base_scope: BASE_DN,
      search: {
        bind_dn: SERVICE.dn,
        password_file: files.write('password', `${SERVICE.password}\n`),
        base: BASE_DN,
        filter: '(uid=%s)',
      },
      membership_patterns: ['member=%d'],
      acl: { [readers]: ['fruits'] },
      cache: 0,
    }
    const elsewhere = { ...ldap, search: { ...ldap.search, base: 'dc=nowhere' } }
    const start = (section: typeof ldap) =>
      startPubsub({ clients: { ldap: section, bad_credentials: 'reject' }, limits: LOGINS_AT_ONCE })
    ;[server, misled] = await Promise.all([start(ldap), start(elsewhere)])
  })
  after(async () => {
    await server?.[Symbol.asyncDispose]()
    await misled?.[Symbol.asyncDispose]()
    await slapd?.[Symbol.asyncDispose]()
    files[Symbol.dispose]()
  })

  test('log in by their name, and see what the list of their group says', async () => {
    assert.ok(await seesPrivate(server, basic('bob', 'bob-secret')))
    assert.equal(await seesPrivate(server, basic('jdoe', 'jdoe-secret')), false)
  })

  test('are told the same whether the name or the password is wrong', async () => {
    const answers = []
    for (const [name, password] of [
      ['jdoe', 'wrong'],
      ['nobody', 'jdoe-secret'],
      ['twin', 'twin-secret'],
      ['*', 'jdoe-secret'],
    ] as const) {
      await using client = await RawClient.open(server.port)
      const { status, body } = await client.ask(get('/', basic(name, password)))
      answers.push(`${status} ${body}`)
    }
    assert.match(answers[0]!, /^401 /)
    assert.equal(new Set(answers).size, 1)
  })

  test('are told by its name what the directory answers when that says nothing about them', async () => {
    await using client = await RawClient.open(misled.port)
    const { status, body } = await client.ask(get('/', basic('bob', 'bob-secret')))
    assert.equal(status, 503)
    assert.match(
      body,
      /the directory that knows your name answers noSuchObject \(32\) to this server, try again/,
    )
  })
})
