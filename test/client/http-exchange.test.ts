import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import {
  describeError,
  HttpExchange,
  isPassing,
  refusalIn,
  retryAfterMs,
  shortText,
} from '../../src/client/http-exchange.ts'

const NEVER = new AbortController().signal

const long: RequestListener = (_request, response) => response.end('x'.repeat(3_000_000))

const broken: RequestListener = (_request, response) => {
  response.writeHead(503, { 'Content-Length': '1000' })
  response.write('the disk is', () => response.destroy())
}

/** Asks a server that answers in its own way. */
async function ask<T>(
  answer: RequestListener,
  use: (exchange: HttpExchange, url: URL) => Promise<T>,
): Promise<T> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  using exchange = new HttpExchange()
  try {
    const { port } = server.address() as AddressInfo
    return await use(exchange, new URL(`http://alice:secret@127.0.0.1:${port}/a?x=1#part`))
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

function get(exchange: HttpExchange, url: URL, headMs = 60_000): Promise<IncomingMessage> {
  return exchange.send({ url, method: 'GET', headers: {}, headMs, signal: NEVER })
}

test('what a URL has of credentials and of a fragment is not sent', async () => {
  const asked: unknown[] = []
  const answer: RequestListener = (request, response) => {
    asked.push([request.url, request.headers.authorization])
    response.end('ok')
  }
  const text = await ask(answer, async (exchange, url) => shortText(await get(exchange, url)))
  assert.equal(text, 'ok')
  assert.deepEqual(asked, [['/a?x=1', undefined]])
})

test('an answer whose head does not come is given up, and a connection that fails is told', async () => {
  await ask(
    () => {},
    async (exchange, url) => {
      await assert.rejects(get(exchange, url, 20), { message: 'no answer within 0.02 s' })
    },
  )
  await ask(
    (request) => request.socket.destroy(),
    (exchange, url) => assert.rejects(get(exchange, url), { code: 'ECONNRESET' }),
  )
})

test('of a body its beginning is enough, also where it breaks off', async () => {
  for (const [answer, text] of [
    [long, 'x'.repeat(16_384)],
    [broken, 'the disk is'],
  ] as const)
    assert.equal(
      await ask(answer, async (exchange, url) => shortText(await get(exchange, url))),
      text,
    )
})

test('a refusal says its own words, of problem+json its detail and code', () => {
  const problem = 'application/problem+json'
  for (const [headers, text, sentence, code] of [
    [
      { 'content-type': problem },
      '{"detail": "too large", "code": "LIMIT"}',
      '400 Bad: too large',
      'LIMIT',
    ],
    [{ 'content-type': problem }, '{"detail": "too large"}', '400 Bad: too large', null],
    [{ 'content-type': problem }, '{"detail": "too la', '400 Bad: {"detail": "too la', null],
    [{ 'content-type': problem }, '{"detail": 7}', '400 Bad: {"detail": 7}', null],
    [{ 'content-type': 'text/plain' }, '\n no \nmore', '400 Bad: no ', null],
    [{ 'content-type': 'text/html' }, '<h1>no</h1>', '400 Bad', null],
    [{}, '', '400 Bad', null],
    [{}, 'x'.repeat(600), `400 Bad: ${'x'.repeat(500)}`, null],
  ] as const)
    assert.deepEqual(refusalIn(answered(400, headers), text), { sentence, code })
  assert.deepEqual(refusalIn(answered(301, { location: 'https://a/' }), ''), {
    sentence: '301 Bad: the server is now at https://a/; use that URL',
    code: null,
  })
})

test('a wait that a server asks for is in seconds or until a date', () => {
  assert.equal(waitOf(), 0)
  assert.equal(waitOf('7'), 7_000)
  assert.equal(waitOf('Thu, 01 Jan 1970 00:00:00 GMT'), 0)
  assert.equal(waitOf('soon'), 0)
  const ms = waitOf(new Date(Date.now() + 3_600_000).toUTCString())
  assert.ok(ms > 3_000_000 && ms <= 3_600_000)
})

test('what may be otherwise later is tried again, what is the fault of the request is not', () => {
  assert.deepEqual([408, 425, 429, 500, 503, 504].map(isPassing), Array(6).fill(true))
  assert.deepEqual(
    [200, 301, 400, 401, 403, 404, 410, 413, 422].map(isPassing),
    Array(9).fill(false),
  )
})

test('an error of several addresses is told by each of them', () => {
  const error = new AggregateError([new Error('refused at ::1'), new Error('refused at 127.0.0.1')])
  assert.equal(describeError(error), 'refused at ::1; refused at 127.0.0.1')
  assert.equal(describeError(new TypeError()), 'TypeError')
  assert.equal(describeError('odd'), 'odd')
})

function answered(status: number, headers: Readonly<Record<string, string>>): IncomingMessage {
  return { statusCode: status, statusMessage: 'Bad', headers } as unknown as IncomingMessage
}

/** After an answer with this header, or without one. */
function waitOf(header?: string): number {
  return retryAfterMs(answered(503, header === undefined ? {} : { 'retry-after': header }))
}
