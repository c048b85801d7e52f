import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { OptionError } from '../../../src/auth/option-error.ts'
import { Passwords } from '../../../src/protocols/jetblack/passwords.ts'

const { password_file: KNOWN } = JSON.parse(
  readFileSync(new URL('../../conformance/jetblack/vectors.json', import.meta.url), 'utf8'),
) as { password_file: { username: string; password: string; Salt: string; Hash: string }[] }

test('passwords of the file that the reference writes are accepted, others are not', () => {
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
      assert.ok(passwords.accepts(username, password), username)
      assert.ok(!passwords.accepts(username, `${password} `))
      assert.equal(passwords.accepts(username, ''), password === '')
      assert.ok(!passwords.accepts(username.toUpperCase(), password))
    }
    for (const name of ['', 'nobody', '__proto__', 'constructor'])
      assert.ok(!passwords.accepts(name, ''), name)
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
