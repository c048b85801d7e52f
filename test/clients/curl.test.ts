import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { clientContract, type ListenOptions, type PublishAnswer } from './client-contract.ts'
import { ClientProcess } from './client-process.ts'
import { missing } from '../programs.ts'
import {
  newTopic,
  OLD_SCHOOLER,
  publish,
  RECEIVED,
  REFUSED,
  sharedPubsub,
  startPubsub,
} from './pubsub-server.ts'

clientContract('curl', missing('curl'), {
  listen,
  async publish(url, payload, { user, password } = {}) {
    const login = user === undefined ? [] : ['-u', `${user}:${password}`]
    const { answers } = await curl([...login, '-XPUT', '-d', '@-', url], payload)
    return answers[0]!
  },
  trusting: (certificate) => ({ CURL_CA_BUNDLE: certificate }),
})

describe('curl, further', { skip: missing('curl'), concurrency: 4 }, () => {
  const server = sharedPubsub()

  const waysToPublish: Readonly<Record<string, readonly string[]>> = {
    '-XPUT -d': ['-XPUT', '-d', '{"n": 1}'],
    '-d, which is a POST': ['-d', '{"n": 1}'],
    '--json': ['--json', '{"n": 1}'],
    '--data-binary from its input': ['--data-binary', '@-'],
    '-0 -d, which is HTTP/1.0': ['-0', '-d', '{"n": 1}'],
    '-T from its input, which is chunked': ['-T', '-', '-H', 'Expect:'],
    '-T and Expect, which waits for 100 Continue': ['-T', '-', '-H', 'Expect: 100-continue'],
  }
  for (const [way, args] of Object.entries(waysToPublish))
    test(`${way} publishes`, async () => {
      const url = `${server().url}/${newTopic()}`
      await using listener = await listen(url).opened()
      const { answers, errors } = await curl([...args, '-v', url], '{"n": 1}')
      const [{ status, body } = assert.fail('no answer')] = answers
      assert.equal(status, 202)
      // `--json` asks for JSON back, and for nothing else.
      if (way === '--json') assert.equal(JSON.parse(body).count, 1)
      else assert.equal(body, RECEIVED)
      assert.deepEqual(await listener.numbers(1), [1])
      assert.equal(errors.includes('HTTP/1.1 100 Continue'), way.includes('100 Continue'))
    })

  test('a refused publication leaves the connection for the next one', async () => {
    const { url } = server()
    // Not `-T -`: when the answer comes before the end of an upload, curl itself closes the connection.
    const upload = ['-X', 'PUT', '-d', '{"n": 1}', `${url}/commit/a`]
    const post = ['--next', '-sSw', FORMAT, '-v', '-d', 'no JSON', `${url}/a`, `${url}/-/a`]
    const { answers, errors } = await curl([...upload, ...post])
    assert.deepEqual(
      answers.map(({ status }) => status),
      [403, 400, 400],
    )
    assert.equal(errors.match(/Re-using existing connection/g)?.length, 2, errors)
  })

  test('a publication that would be refused is not asked to continue', async () => {
    const upload = ['-T', '-', '-H', 'Expect: 100-continue', '-v', `${server().url}/commit/a`]
    const { answers, errors } = await curl(upload, '{"n": 1}')
    assert.deepEqual(answers, [{ status: 403, body: REFUSED }])
    assert.ok(!errors.includes('100 Continue'), errors)
  })

  test('characters outside ASCII in a URL are encoded by curl, and are the same topic', async () => {
    const topic = newTopic()
    await using listener = await listen(`${server().url}/${topic}/grüße`).opened()
    await publish(server(), `/${topic}/gr%C3%BC%c3%9fe`, { n: 1 })
    await curl(['-d', '{"n": 2}', `${server().url}/${topic}/grüße`])
    assert.deepEqual(await listener.numbers(2), [1, 2])
  })

  test('-I is answered without a body', async () => {
    const { answers } = await curl(['-I', '-o', '/dev/null', server().url])
    assert.deepEqual(answers, [{ status: 204, body: '' }])
  })

  test('-0, which knows no chunks, gets plain lines', async () => {
    const topic = newTopic()
    await using listener = await listen(`${server().url}/${topic}`, {}, ['-0']).opened()
    await publish(server(), `/${topic}`, { n: 1 })
    assert.deepEqual(await listener.numbers(1), [1])
  })

  test('an old-school user agent gets a NUL behind every newline', async () => {
    const topic = newTopic()
    const oldSchool = ['-A', `${OLD_SCHOOLER}/1.0`]
    await using listener = listen(`${server().url}/${topic}`, {}, oldSchool)
    assert.ok((await listener.line()).text.startsWith('{"stillalive"'))
    await publish(server(), `/${topic}`, { n: 1 })
    await publish(server(), `/${topic}`, { n: 2 })
    assert.ok((await listener.event()).text.startsWith('\0{"n"'))
    assert.ok((await listener.event()).text.startsWith('\0{"n"'))
  })

  test('the stream of a stopped server is cut, not ended, and was never compressed', async () => {
    await using stopping = await startPubsub()
    await using listener = await listen(stopping.url, {}, ['-v', '--compressed']).opened()
    await stopping.stop()
    const { code, errors } = await listener.ended()
    assert.equal(code, PARTIAL_FILE, errors)
    assert.match(errors, /^< Content-Type: application\/vnd\.pypubsub-stream\r$/im)
    assert.match(errors, /^< Server: PyPubSub\/0\.7\.4 \(pubsubd \S+\)\r$/im)
    assert.doesNotMatch(errors, /^< Content-Encoding/im)
  })
})

/** CURLE_PARTIAL_FILE. */
const PARTIAL_FILE = 18

function listen(
  url: string,
  { user, password, headers = {}, environment = {} }: ListenOptions = {},
  more: readonly string[] = [],
): ClientProcess {
  const login = user === undefined ? [] : ['-u', `${user}:${password}`]
  const lines = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  return new ClientProcess('curl', ['-sSN', ...login, ...lines, ...more, url], { environment })
}

/** Behind each answer. */
const FORMAT = '%{http_code}\\n'

/** Runs curl to its end. */
async function curl(
  args: readonly string[],
  input = '',
): Promise<{ answers: PublishAnswer[]; errors: string }> {
  await using running = new ClientProcess('curl', ['-sSw', FORMAT, ...args], { input })
  const { code, lines, errors } = await running.ended()
  assert.equal(code, 0, errors)
  const output = lines.join('\n')
  const answers = [...output.matchAll(/([^]*?)(\d{3})(?:\n|$)/g)].map(([, body, status]) => ({
    status: Number(status),
    body: body!,
  }))
  return { answers, errors }
}
