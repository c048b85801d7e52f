import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { text } from 'node:stream/consumers'
import { Command } from './command.ts'
import { publishedAt, sharedServer } from './pubsub-server.ts'

/** Each test is a process or two of its own. */
const AT_ONCE = { concurrency: 4 }

const CURSOR = /^[0-9a-f-]{36}\n$/

function run(words: readonly string[], input?: string): Command {
  return new Command({}, ['publish', ...words], {
    ...(input === undefined ? {} : { input }),
    environment: { HOME: '/nonexistent' },
  })
}

const NETRC = 'machine 127.0.0.1 login alice password wonder:land\n'

describe('pubsubd publish', AT_ONCE, () => {
  const server = sharedServer()
  test('one object is published, and its cursor printed', async () => {
    const url = `${server().url}/one`
    await using command = run([url, '-d', '{"big": 12345678901234567890, "f": 1.0}'])
    assert.equal(await command.exit(), 0, command.stderr)
    assert.match(command.stdout, CURSOR)
    assert.equal(command.stderr, '')
    assert.deepEqual(await publishedAt(url), ['{"big": 12345678901234567890, "f": 1.0}'])
  })

  test('an object may go on over many lines', async () => {
    const url = `${server().url}/document`
    await using command = run([url], '{\n  "a": [\n    1\n  ]\n}\n')
    assert.equal(await command.exit(), 0, command.stderr)
    const [event] = await publishedAt(url)
    assert.deepEqual(JSON.parse(event!), { a: [1] })
  })

  test('lines are published in order, however large a batch the server takes', async () => {
    const url = `${server().url}/lines`
    const lines = Array.from({ length: 30 }, (_, n) => `{"n": ${n}}`)
    await using command = run([url, '-'], `${lines.join('\n')}\n\n`)
    assert.equal(await command.exit(), 0, command.stderr)
    assert.deepEqual(await publishedAt(url), lines)
  })

  test('what comes is published before more comes', async () => {
    const url = `${server().url}/live`
    const stream = fetch(`${url}?since=all&count=2&timeout=20s`)
    await using command = run([url], 'open')
    command.child.stdin!.write('{"n": 1}\n')
    const lines = (await stream).body!.pipeThrough(new TextDecoderStream()).getReader()
    assert.match((await lines.read()).value!, /"n": 1/)
    command.child.stdin!.write('{"n": 2}\n')
    while (!(await lines.read()).value!.includes('"n": 2')) continue
    command.child.stdin!.end()
    assert.equal(await command.exit(), 0)
  })

  test('topics are added to those of the URL', async () => {
    const url = `${server().url}/base`
    await using command = run([url, '-t', 'grün', '--topic', 'a b', '-d', '{}'])
    assert.equal(await command.exit(), 0, command.stderr)
    assert.deepEqual(await publishedAt(`${url}/a%20b/gr%C3%BCn`), ['{}'])
    await using wrong = run([url, '-t', 'a/b', '-d', '{}'])
    assert.equal(await wrong.exit(), 2)
    assert.match(wrong.stderr, /--topic "a\/b" is no topic/)
  })

  test('a line that is no object is named, and what stands before it is published', async () => {
    const url = `${server().url}/wrong`
    await using command = run([url], '{"n": 1}\n{"n": 2}\n[3]\n{"n": 4}\n')
    assert.equal(await command.exit(), 1)
    assert.match(command.stderr, /events published before: 2, the last is [0-9a-f-]{36}\n/)
    assert.match(command.stderr, /line 3: this is JSON, but not an object/)
    assert.deepEqual(await publishedAt(url), ['{"n": 1}', '{"n": 2}'])
  })

  test('a line that is no UTF-8 is named, be it the first, a later one or one without an end', async () => {
    for (const [line, bytes] of [
      [1, String.raw`\377\n`],
      [1, String.raw`\377`],
      [3, String.raw`{"n": 1}\n\n{"n": "\377"}\n{}\n`],
      [2, String.raw`{\n"\377": 1}`],
    ] as const) {
      const shell = `printf '${bytes}' | "$PUBSUBD" publish ${server().url}/bytes`
      await using command = new Command({}, { shell }, { environment: { HOME: '/nonexistent' } })
      assert.equal(await command.exit(), 1)
      assert.match(command.stderr, new RegExp(`line ${line}: .*utf-8`))
    }
  })

  test('an event that the server refuses is named, and what stands before it is published', async () => {
    const url = `${server().url}/large`
    const large = `{"text": "${'x'.repeat(2_000)}"}`
    await using command = run([url], `{"n": 1}\n\n${large}\n{"n": 3}\n`)
    assert.equal(await command.exit(), 3)
    assert.match(command.stderr, /events published before: 1,/)
    assert.match(command.stderr, /line 3: 400 Bad Request: .*limit of 1000 bytes/)
    assert.deepEqual(await publishedAt(url), ['{"n": 1}'])
  })

  describe('credentials', () => {
    const ways: Readonly<
      Record<string, (url: string) => { words: string[]; environment?: Record<string, string> }>
    > = {
      '--user': (url) => ({ words: [url, '-u', 'alice:wonder:land'] }),
      'the URL': (url) => ({ words: [url.replace('//', '//alice:wonder%3Aland@')] }),
      'the environment': (url) => ({
        words: [url],
        environment: { PUBSUBD_USER: 'alice', PUBSUBD_PASSWORD: 'wonder:land' },
      }),
      netrc: (url) => ({ words: [url], environment: { NETRC: 'netrc' } }),
      'a name and netrc': (url) => ({
        words: [url, '-u', 'alice'],
        environment: { NETRC: 'netrc' },
      }),
    }
    for (const [way, of] of Object.entries(ways))
      test(`come from ${way}`, async () => {
        const { words, environment = {} } = of(`${server().url}/commit`)
        await using command = new Command({ netrc: NETRC }, ['publish', ...words, '-d', '{}'], {
          environment: { HOME: '/nonexistent', ...environment },
        })
        assert.equal(await command.exit(), 0, command.stderr)
      })

    test('that are wrong end with 3, and are not shown', async () => {
      await using command = run([`${server().url}/a`, '-u', 'alice:hidden', '-d', '{}'])
      assert.equal(await command.exit(), 3)
      assert.match(command.stderr, /401 Unauthorized: .*wrong/)
      assert.doesNotMatch(command.output, /hidden/)
    })

    test('without a password are a wrong usage', async () => {
      await using command = run([`${server().url}/a`, '-u', 'alice', '-d', '{}'])
      assert.equal(await command.exit(), 2)
      assert.match(command.stderr, /no password for alice/)
    })
  })

  for (const [words, message] of [
    [[], /name the URL/],
    [['http://[::1/a', '-d', '{}'], /is no URL/],
    [['ftp://a/b', '-d', '{}'], /http:\/\/ or https:\/\//],
    [['http://a/b', 'file', '-d', '{}'], /not both/],
    [['http://a/b', '-d', ''], /--data is empty/],
    [['http://a/b', '--data', '  '], /--data is empty/],
    [['http://a/b', '--batch', '0', '-d', '{}'], /--batch takes a number/],
    [['http://a/b', '--retry-for', 'soon', '-d', '{}'], /--retry-for takes a duration/],
    [['http://a/b', '--key', 'a b', '-d', '{}'], /--key has 1 to 255 visible characters/],
    [['http://a/b', '--unknown'], /--unknown/],
  ] as const)
    test(`"publish ${words.join(' ')}" is a wrong usage`, async () => {
      await using command = run(words)
      assert.equal(await command.exit(), 2)
      assert.match(command.stderr, message)
      assert.match(command.stderr, /Try pubsubd publish --help\.\n$/)
    })
})

describe('pubsubd publish, when the server is in trouble', AT_ONCE, () => {
  const server = sharedServer()

  test('tries again after Retry-After, with the same key', async () => {
    await using fake = await FakeServer.start((request, response, n) => {
      if (n === 0) response.writeHead(503, { 'Retry-After': '1' }).end('not now\n')
      else if (n === 1) request.socket.destroy()
      else response.writeHead(202, { 'X-Pubsub-Cursor': 'c' }).end()
    })
    await using command = new Command({}, ['publish', '-i', fake.url, '-d', '{}'])
    assert.equal(await command.exit(), 0, command.stderr)
    assert.equal(command.stdout, 'c\n')
    const keys = fake.requests.map(({ headers }) => headers['idempotency-key'])
    assert.equal(keys.length, 3)
    assert.match(String(keys[0]), /^[0-9a-f-]{36}$/)
    assert.equal(new Set(keys).size, 1)
    const [first, second] = fake.requests
    assert.ok(second!.atMs - first!.atMs >= 1_000)
    assert.match(command.stderr, /503 Service Unavailable: not now; trying again in 1\.\d s\n/)
  })

  for (const [words, requests, exitCode] of [
    [[], 1, 4],
    [['-i'], 2, 0],
    [['--key', 'k'], 2, 0],
  ] as const)
    test(`of a publication whose outcome the server does not know, "publish ${words.join(' ')}" sends ${requests}`, async () => {
      await using fake = await FakeServer.start((_request, response, n) => {
        const problem = { detail: 'it may have been stored, or not', code: 'OUTCOME_UNKNOWN' }
        if (n > 0) return response.writeHead(202, { 'X-Pubsub-Cursor': 'c' }).end()
        response.writeHead(503, { 'Content-Type': 'application/problem+json' })
        return response.end(JSON.stringify(problem))
      })
      await using command = new Command({}, ['publish', fake.url, '-d', '{}', ...words])
      assert.equal(await command.exit(), exitCode, command.stderr)
      assert.equal(fake.requests.length, requests)
      assert.match(command.stderr, /503 Service Unavailable: it may have been stored, or not; /)
      assert.equal(/not sent again.*--idempotent/.test(command.stderr), requests === 1)
    })

  for (const [words, times] of [
    [['-i'], 1],
    [[], 2],
    [['--key', 'k'], 1],
  ] as const)
    test(`what was published without an answer is there ${times} times after "publish ${words.join(' ')}"`, async () => {
      const { url } = server()
      const path = `/unanswered-${words.join('')}`
      await using proxy = await FakeServer.start(async (request, response, n, body) => {
        const { headers } = request
        const key = headers['idempotency-key']
        const answer = await fetch(url + path, {
          method: 'PUT',
          body,
          headers: {
            'Content-Type': headers['content-type']!,
            ...(key === undefined ? {} : { 'Idempotency-Key': String(key) }),
          },
        })
        if (n === 0) request.socket.destroy()
        else response.writeHead(answer.status, { 'X-Pubsub-Cursor': 'c' }).end()
      })
      await using command = new Command({}, ['publish', proxy.url, ...words], {
        input: '{"n": 1}\n{"n": 2}\n',
      })
      assert.equal(await command.exit(), 0, command.stderr)
      assert.equal(proxy.requests.length, 2)
      const each = ['{"n": 1}', '{"n": 2}']
      assert.deepEqual(await publishedAt(url + path), times === 1 ? each : [...each, ...each])
    })

  test('a second run with the same --key publishes nothing again', async () => {
    const url = `${server().url}/key`
    const lines = Array.from({ length: 10 }, (_, n) => `{"n": ${n}}`)
    const words = ['publish', url, '--key', 'import-7', '--batch', '4']
    for (const _ of [1, 2]) {
      await using command = new Command({}, words, { input: lines.join('\n') })
      assert.equal(await command.exit(), 0, command.stderr)
    }
    assert.deepEqual(await publishedAt(url), lines)
  })

  test('gives up after --retry-for with 4', async () => {
    await using fake = await FakeServer.start((_request, response) => {
      response.writeHead(503).end()
    })
    await using command = new Command({}, ['publish', fake.url, '-d', '{}', '--retry-for', '0'])
    assert.equal(await command.exit(), 4)
    assert.equal(fake.requests.length, 1)
    assert.match(command.stderr, /503 Service Unavailable/)
  })

  test('a server that knows no batches gets one object after the other', async () => {
    await using fake = await FakeServer.start((_request, response, _n, body) => {
      const isObject = !body.trim().includes('\n')
      response.writeHead(isObject ? 202 : 400, { 'Content-Type': 'text/plain' }).end('no\n')
    })
    await using command = new Command({}, ['publish', '-i', fake.url], {
      input: '{"n": 1}\n{"n": 2}\n{"n": 3}\n',
    })
    assert.equal(await command.exit(), 0, command.stderr)
    assert.deepEqual(
      fake.requests.map(({ body }) => body).filter((body) => !body.includes('\n')),
      ['{"n": 1}', '{"n": 2}', '{"n": 3}'],
    )
    assert.match(command.stderr, /knows no Idempotency-Key/)
    assert.equal(command.stdout, '')
  })

  test('a refusal ends it, though more could come, and so does SIGTERM between two tries', async () => {
    await using fake = await FakeServer.start((_request, response) => {
      response.writeHead(403).end('no\n')
    })
    await using refused = new Command({}, ['publish', fake.url], { input: 'open' })
    refused.child.stdin!.write('{"n": 1}\n')
    assert.equal(await refused.exit(), 3)
    assert.match(refused.stderr, /403 Forbidden: no/)
    await using busy = await FakeServer.start((_request, response) => {
      response.writeHead(503, { 'Retry-After': '60' }).end()
    })
    await using waiting = new Command({}, ['publish', busy.url], { input: 'open' })
    waiting.child.stdin!.write('{"n": 1}\n')
    await waiting.printed(/trying again in (?:[6-9]\d|1\d\d)\./)
    waiting.child.kill('SIGTERM')
    assert.equal(await waiting.exit(), 143)
  })

  test('SIGTERM lets the answer come, and ends with 143', async () => {
    const { promise: asked, resolve: isAsked } = Promise.withResolvers<ServerResponse>()
    await using fake = await FakeServer.start((_request, response) => isAsked(response))
    await using command = new Command({}, ['publish', fake.url], { input: 'open' })
    command.child.stdin!.write('{"n": 1}\n')
    const response = await asked
    command.child.kill('SIGTERM')
    response.writeHead(202, { 'X-Pubsub-Cursor': 'c' }).end()
    assert.equal(await command.exit(), 143)
    assert.equal(command.stdout, 'c\n')
  })
})

test('an answer counts by its head, though its body never ends', async () => {
  await using server = await FakeServer.start((_request, response) => {
    response.writeHead(202, { 'Content-Length': 100, 'X-Pubsub-Cursor': 'cursor-1' })
    response.write('Payload')
  })
  await using command = run([server.url, '-d', '{}'])
  assert.equal(await command.exit(), 0, command.stderr)
  assert.equal(command.stdout, 'cursor-1\n')
  assert.equal(server.requests.length, 1)
})

test('a terminal obeys nothing that a server says in place of a cursor', async () => {
  await using server = await FakeServer.start((_request, response) => {
    response.writeHead(202, { 'X-Pubsub-Cursor': '\u009b31m' }).end()
  })
  await using command = run([server.url, '-d', '{}'])
  assert.equal(await command.exit(), 0, command.stderr)
  assert.equal(command.stdout, '\\u{9b}31m\n')
})

test('no message shows the password of a URL', async () => {
  for (const words of [
    ['http://alice:s3/cr@et@localhost:99999/x', '-d', '{}'],
    ['localhost/x', '-', 'http://alice:s3cret@localhost/x'],
  ]) {
    await using command = run(words)
    assert.equal(await command.exit(), 2)
    assert.doesNotMatch(command.stderr, /s3|et@|alice/)
    assert.match(command.stderr, /…@localhost/)
  }
})

interface Recorded {
  readonly headers: IncomingMessage['headers']
  readonly body: string
  readonly atMs: number
}

type Answer = (
  request: IncomingMessage,
  response: ServerResponse,
  n: number,
  body: string,
) => unknown

/** Answers as the test says. */
class FakeServer implements AsyncDisposable {
  readonly requests: Recorded[] = []
  readonly #server

  static async start(answer: Answer): Promise<FakeServer> {
    const fake = new FakeServer(answer)
    await once(fake.#server, 'listening')
    return fake
  }

  private constructor(answer: Answer) {
    const serve = async (request: IncomingMessage, response: ServerResponse) => {
      const body = await text(request)
      this.requests.push({ headers: request.headers, body, atMs: performance.now() })
      await answer(request, response, this.requests.length - 1, body)
    }
    this.#server = createServer((request, response) => void serve(request, response)).listen(
      0,
      '127.0.0.1',
    )
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/a`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
