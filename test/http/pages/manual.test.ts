import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { describe, test } from 'node:test'
import { RawClient } from '../raw-client.ts'
import { get, request, sharedPubsub, startPubsub } from '../requests.ts'

const pubsub = sharedPubsub({ server: { backlog: { size: 100 } } })

async function ask(...headers: string[]) {
  await using client = await RawClient.open(pubsub().port)
  return await client.ask(get('/-/', ...headers))
}

/** What the manual shows behind two blanks. */
function examplesOf(manual: string): string[] {
  return [...manual.matchAll(/^ {2}(\S(?:.|(?<=\\)\n)*)$/gm)].map(([, command]) => command!)
}

/** What a command prints until it ends, or until that is as it should be. */
async function printedBy(command: string, expected: RegExp): Promise<string> {
  const shell = spawn('sh', ['-c', command], { detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const deadline = setTimeout(() => process.kill(-shell.pid!, 'SIGKILL'), 15_000)
  const ended = new Promise<void>((resolve) => shell.once('close', () => resolve()))
  let printed = ''
  for (const output of [shell.stdout, shell.stderr])
    output.setEncoding('utf8').on('data', (text: string) => {
      printed += text
      if (!command.includes('curl -N') || !expected.test(printed)) return
      if (shell.exitCode === null && shell.signalCode === null) process.kill(-shell.pid!, 'SIGKILL')
    })
  await ended
  clearTimeout(deadline)
  return printed
}

/** Part of an example, and what it prints. The first that fits counts. */
const PRINTS: readonly (readonly [string, RegExp])[] = [
  ['-XPUT', /^Payload received/m],
  ['-T -', /^Payload received/m],
  ['event-stream', /^event: opened$/m],
  ['x-ndjson', /"opened"/],
  ['cloudevents', /"opened"/],
  ['cursor=$', /^\{"stillalive"/],
  ['since=10m', /"pubsub_topics": \["fruits"/],
  ['problem+json', /^HTTP\/1\.1 400[^]*"code":"BAD_QUERY"/],
  ['curl -N', /^\{"stillalive"/],
]

test('every example that the manual prints works as it stands', async () => {
  const { status, headers, body } = await ask(`Host: 127.0.0.1:${pubsub().port}`)
  assert.equal(status, 200)
  assert.equal(headers['content-type'], 'text/plain; charset=utf-8')
  const examples = examplesOf(body)
  assert.ok(examples.length >= 12)
  for (const example of examples) {
    assert.ok(example.includes(pubsub().url), example)
    const [, expected] = PRINTS.find(([part]) => example.includes(part))!
    // curl draws its progress where nobody looks.
    const command = example.replaceAll(/\bcurl (?=-)/g, 'curl -s ').replace('-s -N', '-N -s')
    assert.match(await printedBy(command, expected), expected, example)
  }
})

test('the manual fits two screens of a terminal', async () => {
  const lines = (await ask('Host: pubsub.example.org:2069')).body.trimEnd().split('\n')
  assert.ok(lines.length <= 48, `${lines.length} lines`)
  for (const line of lines) assert.ok(line.length <= 125, line)
})

describe('the examples name the host that was asked', () => {
  for (const host of ['localhost', 'pubsub.example.org:8080', '10.0.0.1:2069', '[::1]:2069', 'a'])
    test(host, async () => {
      const { body } = await ask(`Host: ${host}`)
      assert.ok(examplesOf(body).every((example) => example.includes(`http://${host}/`)))
    })

  for (const host of [
    '',
    'a b',
    '$(id)',
    '`id`',
    "a'b",
    'a"b',
    'a;b',
    'a/b',
    'user@a',
    '-o',
    'a:b',
    '<script>',
    '[a-z]',
    'a\u00e9',
    'a'.repeat(300),
  ])
    test(`and where they were sent instead of ${JSON.stringify(host.slice(0, 20))}`, async () => {
      const { status, body } = await ask(`Host: ${host}`)
      assert.equal(status, 200)
      const examples = examplesOf(body)
      assert.ok(examples.every((example) => example.includes(`${pubsub().url}/`)))
    })
})

test('whoever asks again with the ETag gets 304, and caches are told of Accept', async () => {
  const { headers } = await ask()
  assert.equal(headers['vary'], 'Accept')
  assert.equal((await ask(`If-None-Match: ${headers['etag']}`)).status, 304)
  assert.equal((await ask('Host: other', `If-None-Match: ${headers['etag']}`)).status, 200)
})

test('other methods are refused as ever below /-/', async () => {
  await using client = await RawClient.open(pubsub().port)
  const { status, headers } = await client.ask(request('DELETE', '/-/'))
  assert.equal(status, 405)
  assert.equal(headers['allow'], 'GET, HEAD')
  assert.equal((await client.ask(request('PUT', '/-/', { body: '{}' }))).status, 400)
})

test('over TLS the examples say so', async () => {
  const { tlsSection } = await import('../tls-section.ts')
  await using secure = await startPubsub({ server: { tls: tlsSection() } })
  await using client = await RawClient.open(secure.tlsPort!, { tls: true })
  const { body } = await client.ask(get('/-/', 'Host: a:1'))
  assert.ok(body.includes('https://a:1/fruits') && body.includes('wss://a:1/fruits'))
})
