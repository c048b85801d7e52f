import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ClientProcess } from './client-process.ts'
import {
  ASFPY_LINE_BYTES,
  newTopic,
  publish,
  READER,
  RECEIVED,
  REFUSED,
  RENEE,
  sharedPubsub,
  startPubsub,
  WRONG_PASSWORD,
} from './pubsub-server.ts'

export interface Credentials {
  readonly user?: string
  readonly password?: string
}

export interface ListenOptions extends Credentials {
  readonly headers?: Readonly<Record<string, string>>
  readonly environment?: Readonly<Record<string, string>>
}

export interface PublishAnswer {
  readonly status: number
  readonly body: string
}

/** One kind of client: how it listens and how it publishes, each time as a process of its own. */
export interface PubsubClient {
  /** Prints control lines, too. */
  listen(url: string, options?: ListenOptions): ClientProcess
  publish(url: string, payload: string, credentials?: Credentials): Promise<PublishAnswer>
  /** Environment in which it trusts the certificate in a file. */
  trusting(certificate: string): Readonly<Record<string, string>>
  /** Reasons why the client itself is not up to something. */
  readonly cannot?: {
    readonly askForReplaySinceTime?: string
    readonly askForReplaySinceCursor?: string
    readonly readLongLines?: string
    readonly keepBigIntegers?: string
    readonly end?: string
  }
}

/** What every client can expect that worked with PyPubSub. */
export function clientContract(name: string, missing: string | false, client: PubsubClient): void {
  const { cannot = {} } = client
  describe(name, { skip: missing, concurrency: 4 }, () => {
    const server = sharedPubsub()

    test('what it publishes, it hears, character by character', async () => {
      const url = `${server().url}/${newTopic()}/gr%C3%BC%C3%9Fe/%E4%B8%96%E7%95%8C`
      await using listener = await client.listen(url).opened()
      const text = 'Grüße, 世界 🦀\u2028\r\n\0"\\\u007f'
      const payload = JSON.stringify({ text, schlüssel: [1.5, true, null, { '': [] }] })
      assert.deepEqual(await client.publish(url, payload), { status: 202, body: RECEIVED })
      const { json } = await listener.event()
      const { pubsub_topics: topics, pubsub_path: path, ...rest } = json
      assert.deepEqual((topics as string[]).slice(1), ['grüße', '世界'])
      assert.equal(path, decodeURIComponent(new URL(url).pathname))
      assert.match(String(rest['pubsub_timestamp']), /^\d+(\.\d+)?$/)
      assert.match(String(rest['pubsub_cursor']), /^[0-9a-f-]{36}$/)
      const { pubsub_timestamp: _, pubsub_cursor: __, ...published } = rest
      assert.deepEqual(published, JSON.parse(payload))
    })

    testIf(cannot.keepBigIntegers, 'integers of any size keep their digits', async () => {
      const url = `${server().url}/${newTopic()}`
      await using listener = await client.listen(url).opened()
      const digits = '-1234567890'.repeat(20).replaceAll('0-', '0')
      await client.publish(url, `{"integer": ${digits}}`)
      const { text } = await listener.event()
      assert.ok(text.replaceAll(' ', '').includes(`"integer":${digits},`), text)
    })

    test('events that come all at once are heard one by one', async () => {
      const topic = newTopic()
      await using listener = await client.listen(`${server().url}/${topic}`).opened()
      // No more than Ruby reads at once (16 KiB): it hands over a chunk in pieces as it arrives.
      const numbers = Array.from({ length: 50 }, (_, n) => n)
      await Promise.all(numbers.map((n) => publish(server(), `/${topic}`, { n })))
      const heard = (await listener.numbers(numbers.length)) as number[]
      assert.deepEqual(
        heard.toSorted((a, b) => a - b),
        numbers,
      )
      await publish(server(), `/${topic}`, { n: 'next' })
      assert.deepEqual(await listener.numbers(1), ['next'])
    })

    testIf(cannot.readLongLines, 'a line of 300 KiB is read', async () => {
      const topic = newTopic()
      const url = `${server().url}/${topic}`
      await using listener = await client.listen(url).opened()
      const text = 'x'.repeat(ASFPY_LINE_BYTES - 300) // the rest is what the server adds
      assert.equal((await client.publish(url, JSON.stringify({ text }))).status, 202)
      await publish(server(), `/${topic}`, { n: 'next' })
      assert.equal((await listener.event()).json['text'], text)
      assert.deepEqual(await listener.numbers(1), ['next'])
    })

    test('private events are heard by whom the ACL allows it, public ones by everybody', async () => {
      const topic = newTopic()
      const url = `${server().url}/${topic}`
      await using reader = await client.listen(url, READER).opened()
      await using mistyped = await client.listen(url, WRONG_PASSWORD).opened()
      await using anonymous = await client.listen(url).opened()
      await client.publish(`${server().url}/private/svn/${topic}`, '{"n": "private"}')
      await client.publish(`${server().url}/private/other/${topic}`, '{"n": "secret"}')
      await client.publish(url, '{"n": "public"}')
      assert.deepEqual(await mistyped.numbers(1), ['public'])
      assert.deepEqual(await anonymous.numbers(1), ['public'])
      const { json } = await reader.event()
      assert.equal(json['n'], 'private')
      assert.deepEqual(json['pubsub_topics'], ['svn', topic])
      assert.equal(json['pubsub_path'], `/private/svn/${topic}`)
      assert.deepEqual(await reader.numbers(1), ['public'])
    })

    test('publishing to a secure topic takes the credentials of one who may', async () => {
      const url = `${server().url}/commit/${newTopic()}`
      await using listener = await client.listen(url).opened()
      const refused = { status: 403, body: REFUSED }
      assert.deepEqual(await client.publish(url, '{"n": 1}'), refused)
      assert.deepEqual(await client.publish(url, '{"n": 2}', WRONG_PASSWORD), refused)
      assert.equal((await client.publish(url, '{"n": 3}', READER)).status, 202)
      assert.deepEqual(await listener.numbers(1), [3])
    })

    test('a name and a password that are not ASCII log in as this client sends them', async () => {
      const topic = newTopic()
      await using listener = await client.listen(`${server().url}/${topic}`, RENEE).opened()
      await client.publish(`${server().url}/private/svn/${topic}`, '{"n": "private"}')
      const { status } = await client.publish(`${server().url}/commit/${topic}`, '{"n": 1}', RENEE)
      assert.equal(status, 202)
      assert.deepEqual(await listener.numbers(2), ['private', 1])
    })

    test('a comma means "or"', async () => {
      const [a, b, c] = [newTopic(), newTopic(), newTopic()]
      await using listener = await client.listen(`${server().url}/${a}/${b},${c}`).opened()
      for (const [n, path] of [a, `${b}/${a}`, `${a}/${c}/${b}`, b, `x/${c}`].entries())
        await publish(server(), `/${path}`, { n })
      assert.deepEqual(await listener.numbers(3), [1, 2, 4])
    })

    testIf(
      cannot.askForReplaySinceTime,
      'X-Fetch-Since brings what was published since then, private events as the ACL allows',
      async () => {
        const { paths, events, url } = await keptEvents()
        const since = { 'X-Fetch-Since': String(events[1]!['pubsub_timestamp']) }
        await using reader = client.listen(url, { ...READER, headers: since })
        await using anonymous = client.listen(url, { headers: since })
        await publish(server(), paths.public, { n: 'live' })
        assert.deepEqual(await reader.numbers(4), [1, 2, 3, 'live'])
        assert.deepEqual(await anonymous.numbers(3), [1, 3, 'live'])
      },
    )

    testIf(
      cannot.askForReplaySinceCursor,
      'X-Fetch-Since-Cursor brings what was published behind that event, private events as the ACL allows',
      async () => {
        const { paths, events, url } = await keptEvents()
        const since = { 'X-Fetch-Since-Cursor': String(events[1]!['pubsub_cursor']) }
        await using reader = client.listen(url, { ...READER, headers: since })
        await using anonymous = client.listen(url, { headers: since })
        await publish(server(), paths.public, { n: 'live' })
        assert.deepEqual(await reader.numbers(3), [2, 3, 'live'])
        assert.deepEqual(await anonymous.numbers(2), [3, 'live'])
      },
    )

    /** Published and heard before: 0, 1, 2 and 3, of which 2 is private. */
    async function keptEvents() {
      const topic = newTopic()
      const url = `${server().url}/${topic}`
      const paths = { public: `/${topic}`, private: `/private/svn/${topic}` }
      await using witness = await client.listen(url, READER).opened()
      const events = []
      for (let n = 0; n < 4; n++) {
        await publish(server(), n === 2 ? paths.private : paths.public, { n })
        events.push((await witness.event()).json)
      }
      return { paths, events, url }
    }

    test('at a stop it hears everything before, and why the stream ends if it has asked for what PyPubSub does not have', async () => {
      await using stopping = await startPubsub()
      await using listener = await client.listen(`${stopping.url}/a?on_gap=live`).opened()
      await publish(stopping, '/a', { n: 1 })
      await stopping.stop()
      assert.deepEqual(await listener.numbers(1), [1])
      assert.equal(await listener.closing(), 'shutdown')
    })

    testIf(cannot.end, 'at a stop it hears nothing that PyPubSub would not say', async () => {
      await using stopping = await startPubsub()
      await using listener = await client.listen(`${stopping.url}/a`).opened()
      await publish(stopping, '/a', { n: 1 })
      await stopping.stop()
      assert.deepEqual(await listener.numbers(1), [1])
      const { lines } = await listener.ended()
      for (const line of lines)
        assert.deepEqual(Object.keys(JSON.parse(line.replaceAll('\0', ''))), ['stillalive'])
    })

    test('HTTPS is heard as HTTP is', async () => {
      const topic = newTopic()
      const environment = client.trusting(server().certificate)
      const listening = client.listen(`${server().tlsUrl}/${topic}`, { environment })
      await using listener = await listening.opened()
      await publish(server(), `/${topic}`, { n: 1 })
      assert.deepEqual(await listener.numbers(1), [1])
    })
  })
}

/** A test for those who can: what a client cannot do for a known reason is no test that was left out. */
function testIf(whyNot: string | undefined, name: string, run: () => Promise<void>): void {
  if (whyNot === undefined) test(name, run)
}
