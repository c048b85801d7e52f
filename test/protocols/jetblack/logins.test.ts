import { SignJWT } from 'jose'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { OptionError } from '../../../src/auth/option-error.ts'
import { TemporaryFiles } from '../../config/temporary-files.ts'
import { startInProcess } from '../../in-process-server.ts'
import { Client, config, sent } from './client.ts'
import { write } from './wire.ts'

function passwordFile(users: Readonly<Record<string, string>>): string {
  const entries = Object.entries(users).map(([name, password]) => {
    const hash = createHash('sha1').update(password).digest('base64')
    return [name, { Salt: '', Hash: hash }]
  })
  return JSON.stringify(Object.fromEntries(entries))
}

/** What everybody does who is let in: hears itself by its name. */
const HELLO = Buffer.concat([write.subscription('a', 'b'), write.publication('a', 'b', 'hello')])

const texts = (...all: readonly string[]) => Buffer.concat(all.map((each) => write.text(each)))

/** How clients of each version log in, and what the words are: name and password, or a token. */
const FORMS: readonly (readonly [string, (name: string, password: string) => Buffer])[] = [
  ['4.x, 6.x', (name, password) => texts(`Username=${name};Password=${password};Application=x`)],
  ['3.x', (name, password) => texts(name, password, '', '')],
  ['2.x', (name, password) => texts(name, password)],
]

test('whoever is in the file of passwords logs in as clients of all versions do', async () => {
  using files = new TemporaryFiles()
  const file = files.write('passwords.json', passwordFile({ tom: 'p;q=r' }))
  await using server = await startInProcess({
    config: config(`, authentication: passwords, passwords: ${JSON.stringify(file)}`),
  })
  for (const [version, login] of FORMS)
    for (const isSlow of [false, true]) {
      using client = new Client(server)
      const bytes = Buffer.concat([login('tom', 'p;q=r'), HELLO])
      if (isSlow)
        for (const byte of bytes) {
          client.socket.write(Buffer.of(byte))
          await pause(0)
        }
      else client.socket.write(bytes)
      await client.expects(sent('tom', '127.0.0.1', 'a', 'b', 'hello')).catch((error: Error) => {
        throw new Error(version, { cause: error })
      })
    }
})

test('the file of passwords is read again with the others; who is gone there is closed, and an unusable one changes nothing', async () => {
  using files = new TemporaryFiles()
  const file = files.write('passwords.json', passwordFile({ tom: 'p', mary: 'p' }))
  await using server = await startInProcess({
    config: config(`, authentication: passwords, passwords: ${JSON.stringify(file)}`),
  })
  using tom = new Client(server)
  using mary = new Client(server)
  for (const [client, name] of [
    [tom, 'tom'],
    [mary, 'mary'],
  ] as const) {
    client.socket.write(Buffer.concat([texts(`Username=${name};Password=p`), HELLO]))
    await client.expects(sent(name, '127.0.0.1', 'a', 'b', 'hello'))
    if (client === mary) tom.forget()
  }
  writeFileSync(file, '{"tom": 1}')
  assert.throws(() => server.reloadSettings(), OptionError)
  writeFileSync(file, passwordFile({ mary: 'p', sam: 'p' }))
  server.reloadSettings()
  await tom.ends()
  await mary.expects(sent('tom', '127.0.0.1', 'a', 'b', 'hello').subarray(0, 0))
  using sam = new Client(server)
  sam.socket.write(Buffer.concat([texts('Username=sam;Password=p'), HELLO]))
  await sam.expects(sent('sam', '127.0.0.1', 'a', 'b', 'hello'))
  await mary.expects(sent('sam', '127.0.0.1', 'a', 'b', 'hello'))
})

test('a user of the ACL file that is taken away is closed', async () => {
  await using server = await startInProcess({
    config: config(', authentication: acl'),
    acl: '{tom: {password: p, acl: {}}}',
  })
  using tom = new Client(server)
  tom.socket.write(Buffer.concat([texts('Username=tom;Password=p'), HELLO]))
  await tom.expects(sent('tom', '127.0.0.1', 'a', 'b', 'hello'))
  server.reloadAcl('{}')
  await tom.ends()
})

const tokenBy = (secret: string) =>
  new SignJWT({ sub: 'john' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1 minute')
    .sign(Buffer.from(secret))

test('whoever shows a signed token is whom it names, and the secret is read again with the other files', async () => {
  using files = new TemporaryFiles()
  const [first, second] = ['the first secret', 'the second secret']
  const file = files.write('jwt.secret', `${first}\n`)
  await using server = await startInProcess({
    config: config(`, authentication: jwt, jwt: {secret: ${JSON.stringify(file)}}`),
  })
  const token = await tokenBy(first)
  for (const login of [texts(`Token=${token};Application=x`), texts(token, '', ''), texts(token)]) {
    using client = new Client(server)
    client.socket.write(Buffer.concat([login, HELLO]))
    await client.expects(sent('john', '127.0.0.1', 'a', 'b', 'hello'))
  }
  writeFileSync(file, 'too short')
  assert.throws(() => server.reloadSettings(), /at least 16 bytes/)
  writeFileSync(file, second)
  server.reloadSettings()
  for (const refused of [
    texts(`Token=${token}`),
    texts('Token='),
    texts('Username=john;Password=p'),
  ]) {
    using client = new Client(server)
    client.socket.write(Buffer.concat([refused, HELLO]))
    await client.ends()
    assert.equal(client.received.length, 0)
  }
  using client = new Client(server)
  client.socket.write(Buffer.concat([texts(`Token=${await tokenBy(second)}`), HELLO]))
  await client.expects(sent('john', '127.0.0.1', 'a', 'b', 'hello'))
})

test('who is to log in and does not is closed after a while; who need not may be silent', async () => {
  const more = ', handshake_timeout: 0.2s'
  await using gated = await startInProcess({ config: config(`${more}, authentication: acl`) })
  await using open = await startInProcess({ config: config(more) })
  using silent = new Client(gated)
  using slow = new Client(gated)
  slow.socket.write(Buffer.of(0, 0))
  using welcome = new Client(open)
  await Promise.all([silent.ends(), slow.ends()])
  assert.ok(!welcome.hasEnded)
  welcome.socket.write(HELLO)
  await welcome.expects(sent('nobody', '127.0.0.1', 'a', 'b', 'hello'))
})

test('a way to log in needs its own settings, and says which', async () => {
  for (const [authentication, message] of [
    [
      'passwords',
      /^protocols\.jetblack\.authentication is passwords, so protocols\.jetblack\.passwords must /,
    ],
    ['ldap', /^protocols\.jetblack\.authentication is ldap, so protocols\.jetblack\.ldap must /],
    ['jwt', /^protocols\.jetblack\.authentication is jwt, so protocols\.jetblack\.jwt must /],
  ] as const)
    await assert.rejects(
      startInProcess({ config: config(`, authentication: ${authentication}`) }),
      (error) => error instanceof OptionError && message.test(error.message),
    )
})
