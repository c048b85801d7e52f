import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ANONYMOUS } from '../../../src/auth/identity.ts'
import { OptionError } from '../../../src/auth/option-error.ts'
import { Passwords } from '../../../src/protocols/jetblack/passwords.ts'
import { acceptedLogin, changesOf, logIn } from '../../contracts/authenticator.ts'

const { password_file: KNOWN } = JSON.parse(
  readFileSync(new URL('../../conformance/jetblack/vectors.json', import.meta.url), 'utf8'),
) as { password_file: { username: string; password: string; Salt: string; Hash: string }[] }

async function accepts(passwords: Passwords, name: string, password: string): Promise<boolean> {
  return (await logIn(passwords, name, password)).type === 'accepted'
}

test('passwords of the file that the reference writes are accepted, others are not', async () => {
  assert.ok(KNOWN.length > 1)
  for (const keys of [
    ['Salt', 'Hash'],
    ['salt', 'hash'],
  ] as const) {
    const file = Object.fromEntries(
      KNOWN.map(({ username, Salt, Hash }) => [username, { [keys[0]]: Salt, [keys[1]]: Hash }]),
    )
    const passwords = new Passwords(JSON.stringify(file))
    for (const { username, password } of KNOWN) {
      assert.ok(await accepts(passwords, username, password), username)
      assert.ok(!(await accepts(passwords, username, `${password} `)))
      assert.equal(await accepts(passwords, username, ''), password === '')
      assert.ok(!(await accepts(passwords, username.toUpperCase(), password)))
    }
    for (const name of ['', 'nobody', '__proto__', 'constructor'])
      assert.ok(!(await accepts(passwords, name, '')), name)
  }
})

test('a file that says something else is refused, with what is wrong', () => {
  for (const [text, message] of [
    ['', 'it is no JSON'],
    ['[]', 'it must be an object, with a user for each key'],
    ['null', 'it must be an object, with a user for each key'],
    ['{"tom": null}', 'the user "tom" has no Hash of 20 bytes in base64'],
    [
      '{"tom": {"Salt": "AA==", "Hash": "AA=="}}',
      'the user "tom" has no Hash of 20 bytes in base64',
    ],
  ] as const)
    assert.throws(
      () => new Passwords(text),
      (error) => error instanceof OptionError && error.message === message,
    )
})

test('another text of the file ends the logins of those who are gone or have another password, and of nobody else', async () => {
  const [first, second] = KNOWN as [(typeof KNOWN)[0], (typeof KNOWN)[0]]
  const fileOf = (users: Record<string, (typeof KNOWN)[0]>) => JSON.stringify(users)
  const passwords = new Passwords(fileOf({ tom: first, mary: first, sam: first }))
  const [tom, mary, sam] = await Promise.all(
    ['tom', 'mary', 'sam'].map((name) => acceptedLogin(passwords, name, first.password)),
  )
  const told = [tom!, mary!, sam!].map(changesOf)
  assert.throws(() => passwords.prepare('{'), OptionError)
  const change = passwords.prepare(fileOf({ mary: second, sam: first, new: second }))
  assert.ok(await accepts(passwords, 'tom', first.password))
  change()
  assert.deepEqual(
    told.map(({ all }) => all),
    [[ANONYMOUS], [ANONYMOUS], []],
  )
  assert.ok(!(await accepts(passwords, 'tom', first.password)))
  assert.ok(await accepts(passwords, 'mary', second.password))
  assert.ok(await accepts(passwords, 'new', second.password))
  assert.equal((await acceptedLogin(passwords, 'sam', first.password)).identity.name, 'sam')
})
