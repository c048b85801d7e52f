import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { UsageError } from '../../src/cli/arguments.ts'
import { authorizationFor } from '../../src/cli/authorization.ts'

const directory = mkdtempSync(join(tmpdir(), 'pubsubd-test-'))
after(() => rmSync(directory, { recursive: true }))
const NETRC = join(directory, 'netrc')
const PLAIN = new URL('http://example.org/a')

beforeEach(() => {
  writeFileSync(NETRC, '')
  process.env['NETRC'] = NETRC
  delete process.env['PUBSUBD_USER']
  delete process.env['PUBSUBD_PASSWORD']
})

/** What a server reads out of the header. */
async function sent(url: URL, user?: string): Promise<string | null> {
  const header = await authorizationFor(url, user)
  return header && Buffer.from(header.replace(/^Basic /, ''), 'base64').toString()
}

test('the option counts before the URL, the URL before the environment, that before the netrc file', async () => {
  assert.equal(await sent(PLAIN), null)
  writeFileSync(NETRC, 'machine example.org login netrc password 4')
  assert.equal(await sent(PLAIN), 'netrc:4')
  process.env['PUBSUBD_USER'] = 'environment:3'
  assert.equal(await sent(PLAIN), 'environment:3')
  const url = new URL('http://u%40rl:2%3A2@example.org/')
  assert.equal(await sent(url), 'u@rl:2:2')
  assert.equal(await sent(url, 'option:1:1'), 'option:1:1')
})

test('a name without a password gets it from the environment, else from its entry of the netrc file', async () => {
  writeFileSync(
    NETRC,
    'machine example.org login a password 1 machine example.org login b password 2',
  )
  assert.equal(await sent(PLAIN, 'b'), 'b:2')
  assert.equal(await sent(new URL('http://b@example.org/')), 'b:2')
  process.env['PUBSUBD_PASSWORD'] = '3'
  assert.equal(await sent(PLAIN, 'b'), 'b:3')
})

test('a password may be empty, and a name is never sent without one', async () => {
  assert.equal(await sent(PLAIN, 'alice:'), 'alice:')
  await assert.rejects(authorizationFor(PLAIN, 'alice'), {
    constructor: UsageError,
    message: /^no password for alice: write it in ~\/\.netrc or in PUBSUBD_PASSWORD/,
  })
})

test('an IPv6 address is looked up without its brackets', async () => {
  writeFileSync(NETRC, 'machine ::1 login a password 1')
  assert.equal(await sent(new URL('http://[::1]:2069/')), 'a:1')
})

test('a URL whose name is not percent-encoded is refused without a word of it', async () => {
  await assert.rejects(authorizationFor(new URL('http://a:secret%zz@example.org/'), undefined), {
    message: 'name and password in the URL must be percent-encoded',
  })
})

test('a netrc file that NETRC names and that cannot be read is told', async () => {
  process.env['NETRC'] = join(directory, 'missing')
  await assert.rejects(authorizationFor(PLAIN, undefined), /missing cannot be read: ENOENT/)
})
