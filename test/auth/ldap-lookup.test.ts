import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LdapGrant } from '../../src/auth/ldap-directory.ts'
import type { LdapSearchOptions } from '../../src/auth/ldap-lookup.ts'
import { AttemptLimiter } from '../../src/auth/attempt-limiter.ts'
import { LoginGate } from '../../src/auth/login-gate.ts'
import { OptionError } from '../../src/auth/option-error.ts'
import { acceptedLogin, changesOf, logIn } from '../contracts/authenticator.ts'
import { DEADLINE_MS } from '../deadline.ts'
import { missing } from '../programs.ts'
import { openDirectory } from './ldap-directory.ts'
import { startPlayedDirectory, type Asked, type PlayedAnswer } from './played-directory.ts'
import { sharedSlapd } from './shared-slapd.ts'
import { BASE_DN, GROUPS, SERVICE, type Slapd, STAFF_DN, startSlapd } from './slapd.ts'

const SEARCH: LdapSearchOptions = { bindAs: SERVICE, base: BASE_DN, filter: '(uid=%s)' }

const sharedTest = sharedSlapd()

const JANE = `cn=Doe\\, Jane (x)*,${STAFF_DN}`

sharedTest(
  'a user whose name is no part of the DN is found, and its groups by the DN',
  async (slapd) => {
    await addGroup(slapd, 'authors', [JANE, `cn=Poe\\, Edgar,${STAFF_DN}`])
    for (const bindAs of [SERVICE, null]) {
      await using directory = openDirectory({
        ...slapd,
        search: { ...SEARCH, bindAs },
        membershipPatterns: ['member=%d'],
        acl: aclOf('authors', 'committers'),
      })
      const { identity } = await acceptedLogin(directory, 'jdoe', 'jdoe-secret')
      assert.equal(identity.name, 'jdoe')
      assert.deepEqual(rightsOf(identity), [['authors']])
      const alice = await acceptedLogin(directory, 'alice', 'alice-secret')
      assert.deepEqual(rightsOf(alice.identity), [['committers']])
      assert.equal((await logIn(directory, 'jdoe', 'epoe-secret')).type, 'refused')
      assert.equal((await logIn(directory, 'Doe, Jane (x)*', 'jdoe-secret')).type, 'refused')
    }
  },
)

sharedTest('a name that would mean more in the filter is one that nobody has', async (slapd) => {
  await using directory = openDirectory({ ...slapd, search: SEARCH, membershipPatterns: [] })
  for (const name of ['*', 'jd*', 'jdoe)(uid=*', '*)(|(uid=jdoe', 'jdoe)', '\\2a', '%d', '%s'])
    assert.equal((await logIn(directory, name, 'jdoe-secret')).type, 'refused', name)
})

sharedTest(
  'whichever of its names is typed, a user is the same, and has the same rights',
  async (slapd) => {
    await addPosixGroup(slapd, 'poets', 'edgar')
    await using directory = openDirectory({
      ...slapd,
      search: { ...SEARCH, filter: '(|(uid=%s)(mail=%s))' },
      membershipPatterns: ['(memberUid=%s)'],
      acl: aclOf('poets'),
    })
    for (const typed of ['epoe', 'edgar', 'Edgar', ' EPOE ']) {
      const { identity } = await acceptedLogin(directory, typed, 'epoe-secret')
      assert.equal(identity.name, 'edgar', typed)
      assert.deepEqual(rightsOf(identity), [['poets']])
    }
    const jane = await acceptedLogin(directory, 'Jane@Example.org', 'jdoe-secret')
    assert.equal(jane.identity.name, 'jdoe')
  },
)

sharedTest(
  'an open login ends when any name of its entry is no longer the directory’s',
  async (slapd) => {
    await using directory = openDirectory({
      ...slapd,
      search: { ...SEARCH, filter: '(|(uid=%s)(mail=%s))' },
      membershipPatterns: [],
    })
    for (const ended of ['jdoe', 'jane@example.org']) {
      const login = await acceptedLogin(directory, 'JDOE', 'jdoe-secret')
      const { next } = changesOf(login)
      directory.endLogins((name) => name === ended)
      assert.equal((await next()).name, null)
    }
  },
)

sharedTest('a name of several entries is refused, whosever password is right', async (slapd) => {
  await using directory = openDirectory({ ...slapd, search: SEARCH, membershipPatterns: [] })
  assert.deepEqual(await logIn(directory, 'twin', 'twin-secret'), {
    type: 'refused',
    reason: 'search.filter finds several entries',
  })
  await using wide = openDirectory({
    ...slapd,
    search: { ...SEARCH, filter: '(|(objectClass=*)(uid=%s))' },
    membershipPatterns: [],
  })
  assert.equal((await logIn(wide, 'alice', 'alice-secret')).type, 'refused')
})

sharedTest('groups that memberOf names count, below base_scope and in the acl', async (slapd) => {
  const group = await addGroup(slapd, 'named (a)*\\, b', [JANE])
  await addGroup(slapd, 'unnamed', [JANE])
  for (const memberOf of ['memberOf', 'MEMBEROF', 'memberOf:distinguishedNameMatch:']) {
    await using directory = openDirectory({
      ...slapd,
      search: SEARCH,
      membershipPatterns: [],
      memberOf,
      acl: new Map([
        [group.replaceAll(',ou', ' , OU'), grantOf('named')],
        [GROUPS.committers, grantOf('committers')],
      ]),
    })
    const { identity } = await acceptedLogin(directory, 'jdoe', 'jdoe-secret')
    assert.deepEqual(rightsOf(identity), [['named']], memberOf)
  }
  await using elsewhere = openDirectory({
    ...slapd,
    search: SEARCH,
    memberOf: 'memberOf',
    baseScope: STAFF_DN,
    acl: new Map([[group, grantOf('named')]]),
  })
  assert.deepEqual(rightsOf((await acceptedLogin(elsewhere, 'jdoe', 'jdoe-secret')).identity), [])
})

sharedTest('memberOf and %d are there for users that are known by a DN, too', async (slapd) => {
  await addGroup(slapd, 'here', [`uid=bob,ou=people,${BASE_DN}`])
  for (const options of [
    { memberOf: 'memberOf', membershipPatterns: [] },
    { membershipPatterns: ['(member=%d)'] },
    { membershipPatterns: ['(member:distinguishedNameMatch:=%d)'] },
  ]) {
    await using directory = openDirectory({ ...slapd, ...options, acl: aclOf('here', 'board') })
    const { identity } = await acceptedLogin(directory, 'bob', 'bob-secret')
    assert.deepEqual(rightsOf(identity), [['here']])
  }
})

test('the matching rule for nested groups is asked for on either side, as Active Directory has it', async () => {
  const rule = '1.2.840.113556.1.4.1941'
  await using server = await played({ group: SUCCESS })
  await using directory = openDirectory({
    ...server,
    search: SEARCH,
    membershipPatterns: [`(member:${rule}:=%d)`],
    memberOf: `memberOf:${rule}:`,
    acl: aclOf('committers'),
  })
  await acceptedLogin(directory, 'alice', 'alice-secret')
  const [ofGroup, ofUser] = server.asked.slice(-2)
  // RFC 4511, section 4.5.1: rule, attribute and value have the tags 1, 2 and 3.
  const asserted = (attribute: string, value: string) =>
    `\x81${sized(rule)}\x82${sized(attribute)}\x83${sized(value)}`
  assert.equal(ofGroup!.dn, GROUPS.committers)
  assert.ok(ofGroup!.bytes.includes(asserted('member', ALICE)))
  assert.equal(ofUser!.dn, ALICE)
  assert.ok(ofUser!.bytes.includes(asserted('memberOf', GROUPS.committers)))
})

function sized(text: string): string {
  return String.fromCharCode(text.length) + text
}

test(
  'the first of several entries is not taken for the only one where the directory tells of no more, and all others log in',
  { skip: missing('slapd'), timeout: DEADLINE_MS },
  async () => {
    await using slapd = await startSlapd({ rules: 'sizelimit 1' })
    await using directory = openDirectory({ ...slapd, search: SEARCH })
    await acceptedLogin(directory, 'jdoe', 'jdoe-secret')
    assert.deepEqual(await logIn(directory, 'twin', 'twin-secret'), {
      type: 'unavailable',
      reason: 'answers sizeLimitExceeded (4) to this server',
    })
    const { identity } = await acceptedLogin(directory, 'alice', 'alice-secret')
    assert.deepEqual(rightsOf(identity), [['board'], ['committers']])
  },
)

test(
  'a user in more groups than the directory tells at once logs in, and has the rights of those of the acl',
  { skip: missing('slapd'), timeout: DEADLINE_MS },
  async () => {
    const names = Array.from({ length: 601 }, (_, n) => `many-${n}`)
    await using slapd = await startSlapd({ groupsOfBob: names })
    const wanted = [...names.slice(0, 150), 'many-600', 'committers']
    for (const options of [
      {},
      { membershipPatterns: ['(member=%d)'] },
      { membershipPatterns: [], memberOf: 'memberOf' },
      { search: SEARCH, membershipPatterns: ['(member=%d)'] },
      { search: { ...SEARCH, bindAs: null }, membershipPatterns: [], memberOf: 'memberOf' },
    ]) {
      const log: string[] = []
      await using directory = openDirectory({ ...slapd, ...options, acl: aclOf(...wanted), log })
      const { identity } = await acceptedLogin(directory, 'bob', 'bob-secret')
      assert.equal(rightsOf(identity).length, 151)
      assert.deepEqual(log, [])
    }
  },
)

sharedTest('a group that is not there gives nobody anything, which is told once', async (slapd) => {
  const log: string[] = []
  await using directory = openDirectory({ ...slapd, acl: aclOf('committers', 'nowhere'), log })
  for (let i = 0; i < 3; i++) {
    const { identity } = await acceptedLogin(directory, 'alice', 'alice-secret')
    assert.deepEqual(rightsOf(identity), [['committers']])
  }
  assert.equal(log.length, 1)
  assert.match(
    log[0]!,
    /^warn: nobody has the rights of cn=nowhere,\S+ now: the directory answers noSuchObject \(32\) to /,
  )
})

test(
  'what a directory does not show gives nobody anything, and everybody else logs in',
  { skip: missing('slapd'), timeout: DEADLINE_MS },
  async () => {
    // With `disclose` it says so; without, that there is no such entry.
    for (const [access, result] of [
      ['none', 'noSuchObject (32)'],
      ['disclose', 'insufficientAccessRights (50)'],
    ] as const) {
      const rules = `access to dn.base="${GROUPS.committers}" by * ${access}`
      await using slapd = await startSlapd({ rules })
      const log: string[] = []
      await using directory = openDirectory({ ...slapd, log })
      const { identity } = await acceptedLogin(directory, 'alice', 'alice-secret')
      assert.deepEqual(rightsOf(identity), [['board']])
      assert.equal(log.length, 1)
      assert.ok(log[0]!.includes(`nobody has the rights of ${GROUPS.committers} now`), log[0])
      assert.ok(log[0]!.includes(`answers ${result}`), log[0])
    }
  },
)

test(
  'users of the acl who are not shown to each other are no groups that are missing',
  { skip: missing('slapd'), timeout: DEADLINE_MS },
  async () => {
    const rules = `access to dn.subtree="ou=people,${BASE_DN}" by self read by anonymous auth by * none`
    await using slapd = await startSlapd({ rules })
    const log: string[] = []
    const acl = new Map(['alice', 'bob'].map((name) => [dnOf(name), grantOf(name)]))
    await using directory = openDirectory({ ...slapd, acl, log })
    for (const name of ['alice', 'bob']) {
      const { identity } = await acceptedLogin(directory, name, `${name}-secret`)
      assert.deepEqual(rightsOf(identity), [[name]])
    }
    assert.deepEqual(log, [])
  },
)

test(
  'whoever searches and may not read the names is told so, and nobody logs in by another',
  { skip: missing('slapd'), timeout: DEADLINE_MS },
  async () => {
    await using slapd = await startSlapd({
      rules: `access to attrs=uid by dn.exact="${SERVICE.dn}" search by * read`,
    })
    const log: string[] = []
    await using directory = openDirectory({ ...slapd, search: SEARCH, log })
    assert.deepEqual(await logIn(directory, 'alice', 'alice-secret'), {
      type: 'unavailable',
      reason: 'does not show who that is',
    })
    assert.match(
      log.join(),
      /^warn: LDAP directory \S+ shows no uid of uid=alice\S+, which whoever/,
    )
  },
)

sharedTest('a wrong log-in of who searches is not one of the user', async (slapd) => {
  const log: string[] = []
  const search = { ...SEARCH, bindAs: { ...SERVICE, password: 'wrong-secret' } }
  await using directory = openDirectory({ ...slapd, search, log })
  assert.deepEqual(await logIn(directory, 'alice', 'alice-secret'), {
    type: 'unavailable',
    reason: 'answers invalidCredentials (49) to this server',
  })
  assert.match(
    log[0]!,
    /^warn: LDAP directory ldap:\S+ answers invalidCredentials \(49\) to the bind as search\.bind_dn cn=pubsubd/,
  )
  assert.doesNotMatch(log.join(), /secret/)
})

/** A directory that is asked about alice, whose results are these: of the user's bind, of the search for her, of her group. */
async function played(results: {
  readonly service?: PlayedAnswer
  readonly search?: PlayedAnswer
  readonly bind?: PlayedAnswer
  readonly group?: PlayedAnswer
}) {
  const alice = { dn: ALICE, uid: 'alice' }
  const { service, search, bind, group } = results
  return startPlayedDirectory(({ type, dn }: Asked) => {
    if (type === 'bind') return (dn === ALICE ? bind : service) ?? SUCCESS
    if (dn === BASE_DN) return search ?? { ...SUCCESS, found: [alice] }
    return (dn === ALICE ? null : group) ?? { ...SUCCESS, found: [{ ...alice, dn }] }
  })
}
const SUCCESS: PlayedAnswer = { code: 0 }
const ALICE = dnOf('alice')

const NAMES: Readonly<Record<number, string>> = {
  1: 'operationsError',
  3: 'timeLimitExceeded',
  4: 'sizeLimitExceeded',
  7: 'authMethodNotSupported',
  8: 'strongerAuthRequired',
  10: 'referral',
  11: 'adminLimitExceeded',
  13: 'confidentialityRequired',
  32: 'noSuchObject',
  49: 'invalidCredentials',
  50: 'insufficientAccessRights',
  51: 'busy',
  52: 'unavailable',
  53: 'unwillingToPerform',
  80: 'other',
}
const REFUSING = new Set([32, 34, 48, 49, 50, 53, 19])
const UNSEEN = new Set([10, 32, 34, 50])

test('each result of a bind, a search and a question about a group is told by its name, and none is taken for absence', async () => {
  for (const [number, name] of Object.entries(NAMES)) {
    const code = Number(number)
    const result = `${name} (${code})`
    for (const at of ['bind', 'search', 'group', 'service'] as const) {
      await using server = await played({ [at]: { code, text: 'because' } })
      const log: string[] = []
      await using directory = openDirectory({ ...server, search: SEARCH, acl: aclOf('a'), log })
      const answer = await logIn(directory, 'alice', 'alice-secret')
      const told = `${at} ${result}: ${JSON.stringify(answer)} ${log.join()}`
      if (at === 'bind' && REFUSING.has(code)) {
        assert.deepEqual(answer, { type: 'refused', reason: `${result}: because` }, told)
        assert.deepEqual(log, [], told)
      } else if (at === 'group' && UNSEEN.has(code)) {
        assert.ok(answer.type === 'accepted', told)
        assert.deepEqual(rightsOf(answer.login.identity), [], told)
        assert.equal(log.length, 1, told)
        assert.ok(log[0]!.includes(`answers ${result}: because`), told)
      } else {
        assert.deepEqual(
          answer,
          { type: 'unavailable', reason: `answers ${result} to this server` },
          told,
        )
        assert.equal(log.length, 1, told)
        assert.ok(log[0]!.includes(`answers ${result}: because`), told)
      }
      assert.doesNotMatch(log.join(), /cannot be asked|secret/)
    }
  }
})

test('a directory that is busy is told to be back once it answers, one with a result for one user is not away', async () => {
  let code = 51
  await using server = await played({})
  await using busy = await startPlayedDirectory((asked) =>
    asked.type === 'bind' && asked.dn === ALICE
      ? { code }
      : { code: 0, found: [{ dn: ALICE, uid: 'alice' }] },
  )
  const log: string[] = []
  await using directory = openDirectory({ ...busy, search: SEARCH, acl: new Map(), log })
  for (code of [51, 51, 0, 10, 10, 0]) await logIn(directory, 'alice', 'alice-secret')
  assert.equal(log.length, 3)
  assert.match(log[0]!, /^warn: .* answers busy \(51\) to the bind of a user$/)
  assert.match(log[1]!, /^info: .* answers again$/)
  assert.match(
    log[2]!,
    /^warn: .* answers referral \(10\) to the bind of a user \(another directory /,
  )
  assert.deepEqual(server.asked, [])
})

test('a user that is found with an empty DN is nobody: to bind by it succeeds with any password', async () => {
  await using server = await startPlayedDirectory(({ type }) =>
    type === 'bind' ? SUCCESS : { ...SUCCESS, found: [{ dn: '', uid: 'alice' }] },
  )
  await using directory = openDirectory({ ...server, search: SEARCH })
  assert.equal((await logIn(directory, 'alice', 'anything')).type, 'refused')
  assert.ok(server.asked.every(({ type, dn }) => type === 'search' || dn === SERVICE.dn))
})

sharedTest(
  'however a log-in fails, it is refused after the same time, counted, and told in the log alone why',
  async (slapd) => {
    const slept: number[] = []
    const clock = { now: () => 0, sleep: async (ms: number) => void slept.push(ms) }
    const log: string[] = []
    await using directory = openDirectory({ ...slapd, search: SEARCH, membershipPatterns: [] })
    for (const [name, reason] of [
      ['nobody', 'search.filter finds no entry'],
      ['jdoe', 'invalidCredentials (49)'],
      ['twin', 'search.filter finds several entries'],
    ] as const) {
      const limiter = new AttemptLimiter(4_000, clock)
      const gate = new LoginGate(directory, {
        limiter,
        refusalMs: 500,
        clock,
        logger: (_level, message) => void log.push(message),
      })
      const attempt = { address: '192.0.2.1', name, password: 'wrong-secret' }
      assert.equal((await gate.login(attempt)).type, 'refused')
      assert.deepEqual(slept.splice(0), [500], name)
      assert.equal(gate.refusedCount, 1)
      assert.equal(limiter.failuresAt('192.0.2.1'), 1)
      assert.equal(
        log.splice(0).join(),
        `a login as "${name}" from 192.0.2.1 was refused (LDAP: ${reason})`,
      )
    }
  },
)

test('options that contradict each other are refused', () => {
  for (const options of [
    { userDn: null, search: null },
    { userDn: 'uid=%s,dc=x', search: SEARCH },
    { userDn: '%s@example.org', membershipPatterns: ['(member=%d)'] },
    { userDn: '%s@example.org', membershipPatterns: [], memberOf: 'memberOf' },
    { userDn: null, search: { ...SEARCH, filter: '(member=%d)' } },
    { userDn: null, search: { ...SEARCH, filter: '(uid=alice)' } },
  ])
    assert.throws(() => openDirectory({ uri: 'ldap://127.0.0.1', ...options }), OptionError)
})

function dnOf(name: string): string {
  return `uid=${name},ou=people,${BASE_DN}`
}

function aclOf(...names: readonly string[]): ReadonlyMap<string, LdapGrant> {
  return new Map(names.map((name) => [`cn=${name},ou=groups,${BASE_DN}`, grantOf(name)]))
}

function grantOf(topic: string): LdapGrant {
  return { segments: new Map([['of the group', [topic]]]), secureTopics: [] }
}

/** The segments, in order. */
function rightsOf({ rights }: Awaited<ReturnType<typeof acceptedLogin>>['identity']): string[][] {
  return rights.key === '' ? [] : (JSON.parse(rights.key) as string[][])
}

async function addGroup(slapd: Slapd, cn: string, member: string[]): Promise<string> {
  const dn = `cn=${cn},ou=groups,${BASE_DN}`
  const value = cn.replaceAll('\\', '')
  await slapd.asAdmin((client) =>
    client.add(dn, { objectClass: 'groupOfNames', cn: value, member }),
  )
  return dn
}

async function addPosixGroup(slapd: Slapd, cn: string, memberUid: string): Promise<void> {
  const entry = { objectClass: 'posixGroup', cn, gidNumber: '9', memberUid }
  await slapd.asAdmin((client) => client.add(`cn=${cn},ou=groups,${BASE_DN}`, entry))
}
