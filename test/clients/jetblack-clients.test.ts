import { SignJWT } from 'jose'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { startSlapd, USER_DN } from '../auth/slapd.ts'
import { FIRST } from '../config/certificates.ts'
import { TemporaryFiles } from '../config/temporary-files.ts'
import { DEADLINE_MS } from '../deadline.ts'
import { startInProcess, type InProcessServer } from '../in-process-server.ts'
import { JETBLACK_CLIENTS, missing, PYTHON } from '../programs.ts'
import { startServer } from '../running-server.ts'
import { ClientProcess } from './client-process.ts'
import { data, JetblackClient, stale, VERSIONS, wireOf, type Version } from './jetblack-client.ts'

const skip = missing('jetblack')

interface Sections {
  readonly jetblack?: Readonly<Record<string, unknown>>
  readonly backlog?: Readonly<Record<string, unknown>>
}

function config({ jetblack = {}, backlog = { size: 1_000 } }: Sections = {}): string {
  return JSON.stringify({
    server: { bind: '127.0.0.1', port: 0, backlog },
    clients: { payloaders: ['127.0.0.1'] },
    limits: { login_delay: 0 },
    protocols: { jetblack: { ports: { 0: 'is-image' }, ...jetblack } },
  })
}

/** For clients of one version. */
function configFor(version: Version, jetblack: Readonly<Record<string, unknown>> = {}): string {
  return config({ jetblack: { ports: { 0: wireOf(version) }, ...jetblack } })
}

function portOf({ urls }: Pick<InProcessServer, 'urls'>): number {
  return Number(new URL(urls.find((url) => /^t(cp|ls):/.test(url))!).port)
}

function put(server: Pick<InProcessServer, 'url'>, path: string, body: string) {
  return fetch(server.url + path, { method: 'PUT', body })
}

/** Resolves once it hears what is published at a path, which is heard by nobody else. */
async function hears(
  server: Pick<InProcessServer, 'url'>,
  client: JetblackClient,
  path: string,
): Promise<void> {
  const heard = client.next()
  do await put(server, path, '{"ready": false}')
  while ((await Promise.race([heard, pause(50, null)])) === null)
  await put(server, path, '{"ready": true}')
  for (;;) {
    const { packets } = await client.next()
    if (JSON.stringify(packets).includes('true')) return
  }
}

/** What a version shows of a mark that was not given. */
const unmarked = (version: Version) => (wireOf(version) === 'is-image' ? false : '')

for (const version of VERSIONS)
  describe(`jetblack-messagebus ${version}`, { skip }, () => {
    test('the program of its README hears what is published over HTTP', async () => {
      await using server = await startInProcess({ config: configFor(version) })
      const folder = join(JETBLACK_CLIENTS, version)
      const info = readdirSync(folder).find((name) => name.endsWith('.dist-info'))!
      const readme = readFileSync(join(folder, info, 'METADATA'), 'utf8')
      const [, program = ''] = /```python\n(import asyncio\n[^`]*add_subscription[^`]*)```/.exec(
        readme,
      )!
      // Word for word, but for the port: another test may have that one.
      const ours = program.replace(/\b9001\b|\b9091\b/, String(portOf(server)))
      assert.notEqual(ours, program)
      const python = spawn(PYTHON, ['-u', '-c', `${ours}\n`], {
        env: { ...process.env, PYTHONPATH: folder },
        timeout: DEADLINE_MS,
      })
      try {
        let output = ''
        python.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
        const ended = once(python, 'exit').then(() => true)
        do await put(server, '/TEST/FOO', '{"n": 1}')
        while (!output.includes('message=') && !(await Promise.race([ended, pause(50, false)])))
        assert.match(output, /feed="TEST",topic="FOO"[^]*message=\{"n": 1\}/)
      } finally {
        python.kill('SIGKILL')
      }
    })

    test('by a password over TLS it is who it says, and with a wrong one it is closed', async () => {
      using files = new TemporaryFiles()
      const hash = createHash('sha1').update('p').digest('base64')
      const file = files.write('passwords.json', JSON.stringify({ tom: { Salt: '', Hash: hash } }))
      const cert = files.write('cert.pem', FIRST.certPem)
      const tls = { cert, key: files.write('key.pem', FIRST.keyPem) }
      await using server = await startInProcess({
        config: configFor(version, { tls, authentication: 'passwords', passwords: file }),
      })
      await using tom = new JetblackClient(version, portOf(server), {
        basic: ['tom', 'p'],
        ca: cert,
      })
      tom.subscribe('a', 'b')
      tom.publish('a', 'b', [[7, 9], 'hello'], [null, 1_048_576])
      const packets = [[[7, 9], 'hello'] as const, [null, 1_048_576] as const]
      await tom.expects(data('tom', 'a', 'b', packets, unmarked(version)))
      await using wrong = new JetblackClient(version, portOf(server), {
        basic: ['tom', 'q'],
        ca: cert,
      })
      wrong.subscribe('a', 'b')
      // 3.0.3 reads on behind the end for ever, and tells nobody.
      if (version !== '3.0.3') await wrong.expects({ kind: 'closed', is_faulted: true })
    })

    test('by a signed token it is whom that names', async () => {
      using files = new TemporaryFiles()
      const secret = 'a secret of some bytes'
      const jwt = { secret: files.write('jwt.secret', `${secret}\n`) }
      await using server = await startInProcess({
        config: configFor(version, { authentication: 'jwt', jwt }),
      })
      const token = await new SignJWT({ sub: 'john' })
        .setProtectedHeader({ alg: 'HS256' })
        .setExpirationTime('1 minute')
        .sign(Buffer.from(secret))
      await using john = new JetblackClient(version, portOf(server), { token })
      john.subscribe('a', 'b')
      john.publish('a', 'b', [null, 'hello'])
      await john.expects(data('john', 'a', 'b', [[null, 'hello']], unmarked(version)))
    })

    test('by a directory it is whom that lets bind', { skip: missing('slapd') }, async () => {
      await using slapd = await startSlapd()
      const ldap = { uri: slapd.uri, user_dn: USER_DN }
      await using server = await startInProcess({
        config: configFor(version, { authentication: 'ldap', ldap }),
      })
      await using alice = new JetblackClient(version, portOf(server), {
        basic: ['alice', 'alice-secret'],
      })
      alice.subscribe('a', 'b')
      alice.publish('a', 'b', [null, 'hello'])
      await alice.expects(data('alice', 'a', 'b', [[null, 'hello']], unmarked(version)))
    })

    test('an authoriser that comes and goes decides what others see', async () => {
      const hash = createHash('sha1').update('p').digest('base64')
      using files = new TemporaryFiles()
      const users = Object.fromEntries(
        ['tom', 'sam', 'mary'].map((name) => [name, { Salt: '', Hash: hash }]),
      )
      const file = files.write('passwords.json', JSON.stringify(users))
      const feeds = { AUTH: { authorize: ['mary'], publish: ['mary'] } }
      await using server = await startInProcess({
        config: configFor(version, { authentication: 'passwords', passwords: file, feeds }),
      })
      const as = (name: string, more = {}) =>
        new JetblackClient(version, portOf(server), { basic: [name, 'p'], ...more })
      await using tom = as('tom')
      await using sam = as('sam')
      {
        await using mary = as('mary', { grants: { tom: [1] } })
        mary.subscribe('x', 'y')
        await hears(server, mary, '/x/y')
        tom.subscribe('AUTH', 'T')
        await mary.expects({ kind: 'authorization', user: 'tom', feed: 'AUTH', topic: 'T' })
        sam.subscribe('AUTH', 'T')
        await mary.expects({ kind: 'authorization', user: 'sam', feed: 'AUTH', topic: 'T' })
        // Refused, which looks as if it were stale.
        await sam.expects(stale('AUTH', 'T', wireOf(version)))
        mary.publish('AUTH', 'T', [[1], 'one'], [[2], 'two'], [null, 'none'])
        await tom.expects(data('mary', 'AUTH', 'T', [[[1], 'one']], unmarked(version)))
        mary.stop()
      }
      await tom.expects(stale('AUTH', 'T', wireOf(version)))
      // Without an authoriser nobody is let in; what was granted stays, and another one is asked.
      sam.subscribe('AUTH', 'other')
      await using again = as('mary', { grants: { sam: null } })
      again.subscribe('x', 'y')
      await hears(server, again, '/x/y')
      sam.subscribe('AUTH', 'U')
      await again.expects({ kind: 'authorization', user: 'sam', feed: 'AUTH', topic: 'U' })
      again.publish('AUTH', 'U', [[3], 'three'])
      again.publish('AUTH', 'T', [[1], 'one again'])
      await sam.expects(data('mary', 'AUTH', 'U', [[[3], 'three']], unmarked(version)))
      await tom.expects(data('mary', 'AUTH', 'T', [[[1], 'one again']], unmarked(version)))
    })

    test('what it has published before `stop` is delivered, and then its topic is stale', async () => {
      await using server = await startInProcess({ config: configFor(version) })
      await using subscriber = new JetblackClient(version, portOf(server))
      subscriber.subscribe('a', 'b')
      await hears(server, subscriber, '/a/b')
      await using publisher = new JetblackClient(version, portOf(server))
      publisher.subscribe('x', 'y')
      await hears(server, publisher, '/x/y')
      publisher.publish('a', 'b', [null, 'last'])
      await subscriber.expects(data('nobody', 'a', 'b', [[null, 'last']], unmarked(version)))
      if (version === '3.0.3') await publisher[Symbol.asyncDispose]()
      else publisher.stop()
      await subscriber.expects(stale('a', 'b', wireOf(version)))
    })

    test('a server that is killed is noticed; it is there again with all that it had stored, and the last of it as an image', async () => {
      const sections = (port: number) =>
        config({
          jetblack: { ports: { [port]: wireOf(version) }, feeds: { a: { image: 'last' } } },
          backlog: { size: 1_000, storage: 'events.log' },
        })
      await using server = await startServer({ config: sections(0) })
      const port = Number((await server.printed(/listening on tcp:\/\/\S+:(\d+)/))[1])
      await using client = new JetblackClient(version, port)
      client.subscribe('a', 'b')
      for (let n = 0; n < 50; n++) client.publish('a', 'b', [[n], `${n}`])
      for (let n = 0; n < 50; n++)
        await client.expects(data('nobody', 'a', 'b', [[[n], `${n}`]], unmarked(version)))
      await server.stop('SIGKILL')
      if (version !== '3.0.3') await client.expects({ kind: 'closed', is_faulted: true })
      await using again = await startServer({ config: sections(port), directory: server.directory })
      await using other = new JetblackClient(version, port)
      other.subscribe('a', 'b')
      const image = wireOf(version) === 'is-image' ? true : ''
      await other.expects(data('nobody', 'a', 'b', [[[49], '49']], image))
      other.publish('a', 'b', [null, 'next'])
      await other.expects(data('nobody', 'a', 'b', [[null, 'next']], unmarked(version)))
      const response = await fetch(`${again.url}/a?since=all&count=51`)
      assert.equal((await response.text()).match(/"data":/g)?.length, 51)
    })
  })

test('versions hear each other on one bus, each in its own words', { skip }, async () => {
  await using server = await startInProcess({ config: config() })
  // All on one port: 6.0 shows what it speaks when it publishes.
  const port = portOf(server)
  await using newest = new JetblackClient('6.0.0a1', port)
  newest.publish('x', 'y', [null, 'I speak so'])
  await using stable = new JetblackClient('4.1.1', port)
  await using old = new JetblackClient('3.0.3', port)
  const clients = { newest, stable, old }
  for (const client of Object.values(clients)) {
    client.subscribe('a', 'b')
    client.subscribe('x', 'y')
  }
  for (const client of Object.values(clients)) await hears(server, client, '/x/y')
  for (const [name, publisher] of Object.entries(clients)) {
    publisher.publish('a', 'b', [[1, 2], name])
    for (const client of Object.values(clients))
      for (;;) {
        const told = await client.next()
        if (told['feed'] !== 'a') continue
        assert.deepEqual(
          told,
          data('nobody', 'a', 'b', [[[1, 2], name]], client === newest ? '' : false),
        )
        break
      }
  }
})

test('five hundred real connections hear an event each', { skip }, async () => {
  await using server = await startInProcess({ config: config() })
  const program = `
import asyncio, sys
from jetblack_messagebus import CallbackClient
heard = 0
async def on_data(*_):
    global heard
    heard += 1
    if heard == 500:
        print("500", flush=True)
async def main():
    clients = [await CallbackClient.create("127.0.0.1", ${portOf(server)}) for _ in range(500)]
    for client in clients:
        client.data_handlers.append(on_data)
        await client.add_subscription("a", "b")
    tasks = [asyncio.create_task(client.start()) for client in clients]
    await asyncio.sleep(0.5)
    print("0", flush=True)
    await asyncio.gather(*tasks)
asyncio.run(main())
`
  await using python = new ClientProcess(PYTHON, ['-c', program], {
    environment: { PYTHONPATH: join(JETBLACK_CLIENTS, '4.1.1') },
  })
  await python.line()
  await put(server, '/a/b', '{"n": 1}')
  assert.deepEqual((await python.line()).json, 500)
})
