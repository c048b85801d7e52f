import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { DEADLINE_MS } from '../deadline.ts'
import { startInProcess, type InProcessServer } from '../in-process-server.ts'

/** Who uses a door: a user with rights, or whoever comes. */
export type Who = 'alice' | null

/** What a subscriber has got, as far as all doors can say it. Payloads are `{"n": …}`. */
export interface DoorSubscriber extends AsyncDisposable {
  /** In the order in which they came. */
  readonly numbers: readonly number[]
  /** Resolves once the numbers, or whether it was told of a gap, satisfy it. */
  until(isEnough: () => boolean): Promise<void>
  /** It was told that something may be missing. */
  readonly wasToldOfGap: boolean
  /** The server has ended its subscription, and said so. */
  readonly hasEnded: boolean
  /** Stops taking bytes, and takes them again. */
  pause(): void
  resume(): void
  /** To come back with, where the protocol has cursors. */
  readonly cursor: string | null
}

/** A door as its own peers use it. */
export interface DoorClient {
  readonly name: string
  /** What is published at this path, `fruits/apples`, from now on or after a cursor. Resolves once nothing of it can be missed. */
  subscribe(world: DoorWorld, path: string, who: Who, after?: string): Promise<DoorSubscriber>
  /** `false`: it was refused. */
  publish(
    world: DoorWorld,
    path: string,
    n: number,
    who: Who,
    paddingBytes?: number,
  ): Promise<boolean>
  /** Where its peers connect: the HTTP port (`toHttpPort`), or one of its own, which `server.urls` tells. */
  readonly connect: (world: DoorWorld) => Socket
  /** What comes there before the bytes of a peer that makes no sense: a handshake. */
  readonly opening: (world: DoorWorld) => string
  /** Whether a subscriber holds a connection, which can be slow and ends: a receiver of webhooks is asked, and answers or not. */
  readonly hasStreams: boolean
  /** Whether a subscriber can come back to where it was. */
  readonly hasCursors: boolean
}

/** A server with every door, and what its users prove themselves with. */
export interface DoorWorld extends AsyncDisposable {
  readonly server: InProcessServer
  /** Files and secrets of the doors, by their names. */
  readonly secrets: ReadonlyMap<string, unknown>
}

export function toHttpPort({ server }: DoorWorld): Socket {
  return connect({ host: '127.0.0.1', port: server.port })
}

/** At a door where nobody is anonymous, `bob` is whoever comes. */
const DOOR_ACL = `
alice: {password: wonderland, acl: {one: [fruits]}, topics: [secured]}
bob: {password: builder}
`

/** The sections that every world has; doors add theirs. */
function doorConfig(protocols: string): string {
  return `
server: {bind: 127.0.0.1, port: 0, max_payload_size: 1MiB, backlog: {size: 10000}}
clients: {payloaders: [127.0.0.1], secure_topics: [secured], bad_credentials: reject}
limits: {login_delay: 0, login_refusal: 0}
protocols: {${protocols}}
`
}

/**
 * What every door does for its peers, beside all others. That one of them which throws harms only itself is held where doubles
 * can throw: `test/hub/containment.test.ts`.
 */
export function doorContract(
  door: DoorClient,
  all: readonly DoorClient[],
  start: () => Promise<DoorWorld>,
): void {
  describe(`door: ${door.name}`, () => {
    test('what is published at any door is seen here, once and in order', async () => {
      await using world = await start()
      await using subscriber = await door.subscribe(world, 'fruits/apples', null)
      const expected: number[] = []
      for (const [at, other] of all.entries())
        for (const n of [2 * at, 2 * at + 1]) {
          assert.equal(await other.publish(world, 'fruits/apples', n, null), true, other.name)
          expected.push(n)
        }
      await subscriber.until(() => subscriber.numbers.length >= expected.length)
      assert.deepEqual(subscriber.numbers, expected)
    })

    test('what is published here is seen at any door', async () => {
      await using world = await start()
      await using subscribers = new AsyncDisposableStack()
      const others: DoorSubscriber[] = []
      for (const other of all)
        others.push(subscribers.use(await other.subscribe(world, 'fruits/apples', null)))
      for (const n of [1, 2, 3])
        assert.equal(await door.publish(world, 'fruits/apples', n, null), true)
      for (const other of others) {
        await other.until(() => other.numbers.length >= 3)
        assert.deepEqual(other.numbers, [1, 2, 3])
      }
    })

    test('a publication without the right to it is refused, and nobody sees it', async () => {
      await using world = await start()
      await using subscriber = await all[0]!.subscribe(world, 'secured/here', null)
      assert.equal(await door.publish(world, 'secured/here', 1, null), false)
      assert.equal(await door.publish(world, 'secured/here', 2, 'alice'), true)
      await subscriber.until(() => subscriber.numbers.length > 0)
      assert.deepEqual(subscriber.numbers, [2])
    })

    test('a private event is seen by who may see it, and by nobody else', async () => {
      await using world = await start()
      await using hers = await door.subscribe(world, 'private/fruits', 'alice')
      await using theirs = await door.subscribe(world, 'private/fruits', null)
      await using others = await door.subscribe(world, 'fruits', null)
      await all[0]!.publish(world, 'private/fruits', 1, null)
      await hers.until(() => hers.numbers.length > 0)
      await all[0]!.publish(world, 'fruits', 2, null)
      await others.until(() => others.numbers.length > 0)
      assert.deepEqual([hers.numbers[0], theirs.numbers, others.numbers], [1, [], [2]])
    })

    test('a right that is withdrawn ends with the next event', async () => {
      await using world = await start()
      await using hers = await door.subscribe(world, 'private/fruits', 'alice')
      await using others = await door.subscribe(world, 'fruits', 'alice')
      await all[0]!.publish(world, 'private/fruits', 1, null)
      await hers.until(() => hers.numbers.length > 0)
      world.server.reloadAcl('alice: {password: wonderland, acl: {}, topics: []}')
      await all[0]!.publish(world, 'private/fruits', 2, null)
      assert.equal(await door.publish(world, 'secured/here', 3, 'alice'), false)
      await all[0]!.publish(world, 'fruits', 4, null)
      await others.until(() => others.hasEnded || others.numbers.includes(4))
      assert.deepEqual(hers.numbers, [1])
    })

    test('bytes that make no sense harm nobody', async () => {
      await using world = await start()
      await using subscriber = await door.subscribe(world, 'fruits', null)
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
          const socket = door.connect(world)
          socket.on('error', () => {})
          socket.resume()
          await once(socket, 'connect', { signal: AbortSignal.timeout(DEADLINE_MS) })
          socket.write(door.opening(world))
          await new Promise((resolve) => socket.write(bytes, resolve))
          socket.destroy()
        }),
        { numRuns: 50 },
      )
      assert.equal(await door.publish(world, 'fruits', 1, null), true)
      await subscriber.until(() => subscriber.numbers.length > 0)
      assert.deepEqual(subscriber.numbers, [1])
    })

    if (door.hasCursors)
      test('who comes back gets what came meanwhile', async () => {
        await using world = await start()
        let cursor: string | null
        {
          await using before = await door.subscribe(world, 'fruits', null)
          await all[0]!.publish(world, 'fruits', 1, null)
          await before.until(() => before.numbers.length > 0)
          ;({ cursor } = before)
        }
        assert.ok(cursor !== null)
        for (const n of [2, 3]) await all[0]!.publish(world, 'fruits', n, null)
        await using again = await door.subscribe(world, 'fruits', null, cursor)
        await all[0]!.publish(world, 'fruits', 4, null)
        await again.until(() => again.numbers.length >= 3)
        assert.deepEqual(again.numbers, [2, 3, 4])
      })

    if (!door.hasStreams) return

    test('who does not read delays nobody, and then gets everything, or is told', async () => {
      await using world = await start()
      await using slow = await door.subscribe(world, 'fruits', null)
      await using quick = await door.subscribe(world, 'fruits', null)
      slow.pause()
      const numbers = Array.from({ length: 40 }, (_, n) => n)
      for (const n of numbers)
        assert.equal(await all[0]!.publish(world, 'fruits', n, null, 500_000), true)
      await quick.until(() => quick.numbers.length >= numbers.length)
      assert.deepEqual(quick.numbers, numbers)
      slow.resume()
      await slow.until(
        () => slow.numbers.length >= numbers.length || slow.wasToldOfGap || slow.hasEnded,
      )
      if (slow.wasToldOfGap || slow.hasEnded)
        assert.deepEqual(
          slow.numbers,
          numbers.filter((n) => slow.numbers.includes(n)),
        )
      else assert.deepEqual(slow.numbers, numbers)
    })

    test('a stop comes behind everything that was published before it', async (t) => {
      if (!door.hasStreams)
        return t.skip('what a webhook has not got, it gets after the next start')
      await using world = await start()
      await using subscriber = await door.subscribe(world, 'fruits', null)
      const numbers = Array.from({ length: 20 }, (_, n) => n)
      await Promise.all(numbers.map((n) => all[0]!.publish(world, 'fruits', n, null)))
      await world.server.stop()
      await subscriber.until(() => subscriber.hasEnded)
      assert.deepEqual(
        subscriber.numbers.toSorted((a, b) => a - b),
        numbers,
      )
    })
  })
}

/** A server for one test; `prepared` writes what the sections name. */
export async function startWorld(
  directory: string,
  protocols: string,
  secrets: ReadonlyMap<string, unknown>,
): Promise<DoorWorld> {
  const server = await startInProcess({ config: doorConfig(protocols), acl: DOOR_ACL, directory })
  return { server, secrets, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

/** What subscribers of all doors remember, and those wait for who use them. */
export class Remembered {
  readonly numbers: number[] = []
  wasToldOfGap = false
  hasEnded = false
  cursor: string | null = null
  #wake = Promise.withResolvers<void>()

  change(): void {
    this.#wake.resolve()
    this.#wake = Promise.withResolvers()
  }

  async until(isEnough: () => boolean): Promise<void> {
    const late = AbortSignal.timeout(DEADLINE_MS)
    const expired = once(late, 'abort')
    while (!isEnough()) {
      await Promise.race([this.#wake.promise, expired])
      const { numbers, hasEnded } = this
      assert.ok(!late.aborted, `only ${JSON.stringify(numbers)} came, ended: ${hasEnded}`)
      if (hasEnded && !isEnough()) assert.fail(`it has ended with ${JSON.stringify(numbers)}`)
    }
  }
}
