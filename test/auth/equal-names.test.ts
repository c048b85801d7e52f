import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import * as fc from 'fast-check'
import { Attribute, Change, type Client } from 'ldapts'
import { AclUsers, type AclUser } from '../../src/auth/acl-users.ts'
import { AttemptLimiter } from '../../src/auth/attempt-limiter.ts'
import { SYSTEM_CLOCK } from '../../src/auth/clock.ts'
import { ANONYMOUS } from '../../src/auth/identity.ts'
import { Logins } from '../../src/auth/logins.ts'
import { nameKey } from '../../src/auth/name.ts'
import { acceptedLogin, changesOf, logIn } from '../contracts/authenticator.ts'
import { DEADLINE_MS } from '../deadline.ts'
import { missing } from '../programs.ts'
import { openDirectory, WAYS } from './ldap-directory.ts'
import { BASE_DN, type Slapd, startSlapd } from './slapd.ts'

const skip = missing('slapd')
let slapd: Slapd
before(async () => {
  if (skip === false) slapd = await startSlapd()
})
after(() => slapd?.[Symbol.asyncDispose]())

function slapdTest(name: string, run: () => Promise<void>): void {
  test(name, { skip, timeout: DEADLINE_MS }, run)
}

function userOf(name: string, password: string | null): AclUser {
  return { name, password, segments: new Map(), secureTopics: ['acl-file'] }
}

/** What may be done to each character of a name without making another name of it. */
const FORMS: readonly ((character: string) => string)[] = [
  (character) => character,
  (character) => character.toUpperCase(),
  (character) => String.fromCodePoint(character.codePointAt(0)! + 0xfee0), // full width
  (character) => String.fromCodePoint(character.codePointAt(0)! - 0x61 + 0x24d0), // in a circle
  (character) => String.fromCodePoint(character.codePointAt(0)! - 0x61 + 0x1d41a), // bold, of mathematics
  (character) => `${character}\u00ad`,
  (character) => `\u200d${character}`,
  (character) => `${character}\u0301`,
]

const spelling = fc
  .tuple(
    fc.constantFrom('', ' ', '  ', '\u3000', '\u00a0', '\t', '\u200b'),
    fc.array(fc.nat({ max: FORMS.length - 1 }), { minLength: 5, maxLength: 5 }),
    fc.constantFrom('', ' ', '\u2003 ', '\n', '.', '\ufeff'),
  )
  .map(([before_, forms, behind]) =>
    [before_, ...forms.map((form, at) => FORMS[form]!('carol'[at]!)), behind].join(''),
  )

for (const [way, options] of Object.entries(WAYS)) {
  slapdTest(
    `whatever spelling of a name the directory takes, its rights are those of the name (${way})`,
    async () => {
      await using directory = openDirectory({ ...slapd, ...options })
      const carol = await acceptedLogin(directory, 'carol', 'carol-secret')
      let accepted = 0
      await fc.assert(
        fc.asyncProperty(spelling, async (name) => {
          const result = await logIn(directory, name, 'carol-secret')
          if (result.type !== 'accepted') return
          accepted++
          assert.equal(result.login.identity.name, 'carol')
          assert.equal(result.login.identity.rights.key, carol.identity.rights.key)
          assert.equal(nameKey(name), 'carol')
        }),
        { numRuns: 150, examples: [[' carol'], ['Carol'], ['ＣＡＲＯＬ'], ['ⓒⓐⓡⓞⓛ \u3000']] },
      )
      assert.ok(accepted >= 4)
    },
  )

  slapdTest(
    `whoever is blocked in the file is not let in by the directory in any spelling (${way})`,
    async () => {
      await using directory = openDirectory({ ...slapd, ...options })
      const logins = new Logins(new AclUsers([userOf('carol', null)]), directory)
      await fc.assert(
        fc.asyncProperty(spelling, async (name) => {
          assert.equal((await logIn(logins, name, 'carol-secret')).type, 'refused')
        }),
        { numRuns: 150, examples: [[' carol'], ['Carol'], ['ＣＡＲＯＬ'], ['ⓒⓐⓡⓞⓛ \u3000']] },
      )
    },
  )

  slapdTest(
    `a block that a reload brings ends the open logins of every spelling (${way})`,
    async () => {
      await using directory = openDirectory({ ...slapd, ...options })
      const logins = new Logins(new AclUsers([]), directory)
      const told = []
      for (const name of ['carol', 'Carol', ' carol', 'ＣＡＲＯＬ'])
        told.push(changesOf(await acceptedLogin(logins, name, 'carol-secret')))
      const alice = await acceptedLogin(logins, 'Alice', 'alice-secret')
      logins.replace([userOf('CAROL', null)])
      for (const { all } of told) assert.deepEqual(all, [ANONYMOUS])
      assert.equal(alice.identity.name, 'alice')
    },
  )
}

slapdTest(
  'a user of the file logs in as it is spelled there, and in no other spelling anywhere',
  async () => {
    await using directory = openDirectory(slapd)
    const logins = new Logins(new AclUsers([userOf('Carol', 'of the file')]), directory)
    const { identity } = await acceptedLogin(logins, 'Carol', 'of the file')
    assert.deepEqual([identity.name, [...identity.secureTopics]], ['Carol', ['acl-file']])
    for (const name of ['carol', 'CAROL', ' carol ', 'ｃａｒｏｌ'])
      for (const password of ['of the file', 'carol-secret'])
        assert.equal((await logIn(logins, name, password)).type, 'refused')
  },
)

slapdTest('guesses of one name are counted together, whatever the spelling', async () => {
  const limiter = new AttemptLimiter(16_000, SYSTEM_CLOCK)
  for (const name of ['carol', 'CAROL', ' carol ', 'ｃａｒｏｌ', 'ca\u00adrol'])
    limiter.failed({ address: '192.0.2.1', name })
  assert.ok(limiter.isSlowed({ address: '192.0.2.1', name: 'cAROL' }))
})

/** Letters whose case or form is not one to one. */
const ODD_LETTERS = 'aikKßſıσéåœǆ\u0345ΐŉ₩ﬁ½Ⅷ가ガ٣ª'.split('')

slapdTest('no character that the directory takes for another one makes another name', async () => {
  const dn = `uid=bob,ou=people,${BASE_DN}`
  const names: string[] = ['bob']
  await slapd.asAdmin(async (client) => {
    for (const letter of ODD_LETTERS) {
      const value = `x${letter}y`
      const modification = new Attribute({ type: 'uid', values: [value] })
      try {
        await client.modify(dn, new Change({ operation: 'add', modification }))
        names.push(value)
      } catch (error) {
        // It is there already, as the directory sees it.
        assert.ok(
          names.some((name) => nameKey(name) === nameKey(value)),
          `${value}: ${String(error)}`,
        )
      }
    }
    const keys = new Set(names.map(nameKey))
    const others: string[] = []
    for (let code = 0x20; code < 0x20000; code++) {
      if (code >= 0xd800 && code < 0xe000) continue
      const name = `x${String.fromCodePoint(code)}y`
      if (!keys.has(nameKey(name))) others.push(name)
    }
    for (let at = 0; at < others.length; at += 2_000)
      assert.deepEqual(await found(client, others.slice(at, at + 2_000)), [])
    assert.deepEqual((await found(client, ['xKy'])).length, 1)
  })
})

/** The entries that the directory finds for any of these names. */
async function found(client: Client, names: readonly string[]): Promise<readonly string[]> {
  const filter = `(|${names.map((name) => `(uid=${escaped(name)})`).join('')})`
  const { searchEntries } = await client.search(BASE_DN, { filter, attributes: ['1.1'] })
  return searchEntries.map((entry) => entry.dn)
}

function escaped(name: string): string {
  return name.replace(/[*()\\]/g, (character) => `\\${character.charCodeAt(0).toString(16)}`)
}
