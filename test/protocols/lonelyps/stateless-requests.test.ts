import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { AttemptLimiter } from '../../../src/auth/attempt-limiter.ts'
import { SYSTEM_CLOCK } from '../../../src/auth/clock.ts'
import { LogUnavailableError, OutcomeUnknownError } from '../../../src/hub/errors.ts'
import type { Cursor } from '../../../src/hub/event.ts'
import { Verifier } from '../../../src/protocols/lonelyps/authorization.ts'
import type { StoredSubscriptions } from '../../../src/protocols/lonelyps/stored-subscriptions.ts'
import { MessageMemory } from '../../../src/protocols/lonelyps/message-memory.ts'
import { StatelessRequests } from '../../../src/protocols/lonelyps/stateless-requests.ts'
import { TokenGuesses } from '../../../src/protocols/lonelyps/token-guesses.ts'
import { notifyBody, subscribeBody } from './receiver.ts'

for (const [what, error, status] of [
  ['that was certainly not stored', new LogUnavailableError('full'), 503],
  ['that may have been stored', new OutcomeUnknownError('it may have been stored, or not'), 500],
] as const)
  test(`a notification ${what} is answered with ${status}, as the client repeats by itself after 503 only`, async () => {
    await using door = await Door.open(error)
    const answer = await door.ask('/v1/notify', notifyBody('a', '1'))
    assert.equal(answer.status, status)
    assert.match(await answer.text(), new RegExp(error.message))
  })

test('a subscription that may have been stored can be asked for again, so it is answered with 503', async () => {
  await using door = await Door.open(new OutcomeUnknownError('it may have been stored, or not'))
  const answer = await door.ask('/v1/subscribe/exact', subscribeBody('http://127.0.0.1/', 'a'))
  assert.equal(answer.status, 503)
})

/** The requests at a port, behind which nothing can be stored. */
class Door implements AsyncDisposable {
  readonly #server

  static async open(refused: Error): Promise<Door> {
    const door = new Door(refused)
    await once(door.#server, 'listening')
    return door
  }

  private constructor(refused: Error) {
    const refuse = () => Promise.reject(refused)
    const none = { type: 'none' } as const
    const verifier = new Verifier([{ name: null, toBroadcaster: none, toSubscriber: none }])
    const requests = new StatelessRequests({
      rows: { add: refuse } as unknown as StoredSubscriptions,
      guesses: new TokenGuesses(new AttemptLimiter(0, SYSTEM_CLOCK), verifier),
      checkUrl: () => {},
      checkInterest: () => {},
      checkNotify: () => {},
      notify: refuse,
      memory: new MessageMemory(10_000),
      cursorOfHead: () => 'cursor' as Cursor,
      limits: {
        messageBytesMax: 1_000,
        messageMemoryMax: 1_000,
        subscriptionsMax: 1,
        subscriptionsPerAddressMax: 0,
        subscriptionsPerPeerMax: 1,
        globsMax: 1,
        globsPerAddressMax: 0,
        queueBytesMax: 1_000,
        topicsMax: 10,
        jsonDepthMax: 10,
      },
    })
    this.#server = createServer(
      (request, response) =>
        void requests.answer(request, response, { path: request.url!, address: null }),
    ).listen(0, '127.0.0.1')
  }

  ask(path: string, body: Buffer): Promise<Response> {
    const { port } = this.#server.address() as AddressInfo
    return fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body: new Uint8Array(body) })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
