import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { DEADLINE_MS } from '../deadline.ts'
import { startServer, type RunningServer } from '../running-server.ts'
import { Workplace } from './log-command.ts'

/** As PyPubSub 0.7.4 wrote them, and one torn. */
const BACKLOG = [
  String.raw`{"timestamp": 1695229269.112756, "topics": ["fruits", "apples"], "json": {"text": "\u00c4pfel", "n": 123456789012345678901234567890, "f": 1.0, "pubsub_timestamp": 1695229269.112756, "pubsub_topics": ["fruits", "apples"], "pubsub_path": "/fruits/apples", "pubsub_cursor": "a9ff0d14-2e74-4d43-8f42-6a768a302738"}, "private": false}`,
  '{"timestamp": 1695229269.1225867, "topics": ["commit", "x"], "json": {"secret": 1, "pubsub_path": "/private/commit/x"}, "private": true}',
  '{"timestamp": 1695229269.1320071, "topics": ["a", "b"], "json": {"nested": {"pubsub_path": 1}, "pubsub_path": "//a//b/"}, "private": false}',
  '{"timestamp": 1695229269.14, "topics": ["a"], "json": {"torn"',
].join('\n')

function start(storage: string): Promise<RunningServer> {
  return startServer({
    config: `
server: {bind: 127.0.0.1, port: 0, backlog: {size: 1000, storage: ${storage}}}
clients: {payloaders: [127.0.0.1]}
`,
    acl: 'reader: {password: secret, acl: {all: []}}',
  })
}

/** Everything that is replayed, in front of the first sign of life. */
async function replayed(
  { url }: RunningServer,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  const aborter = new AbortController()
  const answer = await fetch(url, {
    headers: { 'X-Fetch-Since': '1695229269', ...headers },
    signal: AbortSignal.any([aborter.signal, AbortSignal.timeout(DEADLINE_MS)]),
  })
  let text = ''
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (text.includes('{"stillalive"')) break
  }
  aborter.abort()
  return text
    .slice(0, text.indexOf('{"stillalive"'))
    .replace(/(?<="pubsub_cursor": )"[^"]{36}"/g, 'CURSOR')
}

test('a server takes over the backlog of a PyPubSub, once, and leaves the file alone', async () => {
  using place = new Workplace()
  place.write('backlog.json', BACKLOG)
  const file = place.path('backlog.json')
  const before = readFileSync(file)
  const login = { Authorization: `Basic ${btoa('reader:secret')}` }
  const apples = String.raw`{"text": "\u00c4pfel", "n": 123456789012345678901234567890, "f": 1.0, "pubsub_timestamp": 1695229269.113, "pubsub_topics": ["fruits", "apples"], "pubsub_path": "/fruits/apples", "pubsub_cursor": CURSOR}`
  const secret =
    '{"secret": 1, "pubsub_timestamp": 1695229269.123, "pubsub_topics": ["commit", "x"], "pubsub_path": "/private/commit/x", "pubsub_cursor": CURSOR}'
  const nested =
    '{"nested": {"pubsub_path": 1}, "pubsub_timestamp": 1695229269.133, "pubsub_topics": ["a", "b"], "pubsub_path": "//a//b/", "pubsub_cursor": CURSOR}'
  {
    await using server = await start(file)
    await server.printed(/3 events imported\. The file stays as it is and is not read again/)
    await server.printed(/1 line skipped, not valid JSON: line 4/)
    assert.equal(await replayed(server), `${apples}\n${nested}\n`)
    assert.equal(await replayed(server, login), `${apples}\n${secret}\n${nested}\n`)
    await server.stop()
  }
  {
    await using server = await start(file)
    assert.equal(await replayed(server), `${apples}\n${nested}\n`)
    assert.doesNotMatch(server.output(), /import/)
    await server.stop()
  }
  assert.deepEqual(readFileSync(file), before)

  // PyPubSub was started once more, and has rewritten its file.
  const newer = BACKLOG.split('\n')[0]!.replaceAll('1695229269', '1695229300')
  writeFileSync(file, `${BACKLOG.split('\n')[0]!}\n${newer}\n`)
  await using server = await start(file)
  await server.printed(/1 events imported/)
  const again = apples.replace('1695229269', '1695229300')
  assert.equal(await replayed(server), `${apples}\n${nested}\n${again}\n`)
})
