import fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'
import { AddressList } from '../../../src/auth/address-list.ts'
import { Policy } from '../../../src/auth/policy.ts'
import type { PublishedEvent } from '../../../src/hub/event.ts'
import type { AppendOptions, Receipt } from '../../../src/hub/event-log.ts'
import { Hub } from '../../../src/hub/hub.ts'
import { MemoryEventLog } from '../../../src/log/memory/memory-event-log.ts'
import type { Publication } from '../../../src/publication/publication.ts'
import type { DoorEnvironment } from '../../../src/protocols/door.ts'
import { JetblackDoor } from '../../../src/protocols/jetblack/door.ts'
import type { JetblackSettings } from '../../../src/protocols/jetblack/settings.ts'
import { DEADLINE_MS } from '../../deadline.ts'
import { Client, sent, stale } from './client.ts'
import { write } from './wire.ts'

/** Commits in order, each after so many turns of the event loop. */
class SlowLog extends MemoryEventLog {
  readonly #turns: Iterator<number>
  #before: Promise<unknown> = Promise.resolve()

  constructor(turns: readonly number[]) {
    super({ eventsMax: 1_000, maxAgeMs: 0, bytesMax: 1e9 })
    this.#turns = turns[Symbol.iterator]()
  }

  override append(batch: readonly Publication[], options?: AppendOptions): Promise<Receipt> {
    const turns: number = this.#turns.next().value ?? 0
    const appended = this.#before.then(async () => {
      for (let n = 0; n < turns; n++) await turn()
      return super.append(batch, options)
    })
    this.#before = appended.catch(() => {})
    return appended
  }

  override async lastOf(path: string): Promise<PublishedEvent | null> {
    for (let n: number = this.#turns.next().value ?? 0; n > 0; n--) await turn()
    const found = await super.lastOf(path)
    for (let n: number = this.#turns.next().value ?? 0; n > 0; n--) await turn()
    return found
  }
}

const SETTINGS: JetblackSettings = {
  bind: '127.0.0.1',
  ports: new Map([[0, 'is-image']]),
  tls: null,
  authentication: 'none',
  passwords: null,
  ldap: null,
  jwt: null,
  handshakeTimeoutMs: 0,
  heartbeatMs: 0,
  feeds: [
    [
      'i',
      {
        subscribe: 'any',
        publish: 'any',
        notify: 'any',
        authorize: [],
        entitlements: [],
        image: 'last',
      },
    ],
  ],
  messageBytesMax: 1e6,
  subscriptionsPerPeerMax: 100,
}

type Step =
  | {
      readonly type: 'publish'
      readonly feed: string
      readonly topic: string
      readonly text: string
    }
  | { readonly type: 'add' | 'remove'; readonly feed: string; readonly topic: string }

const feed = fc.constantFrom('a', 'i')
const topic = fc.constantFrom('x', 'y')
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    type: fc.constant('publish' as const),
    feed,
    topic,
    text: fc.constantFrom('1', '2', '3', '4', 'x'.repeat(2_000)),
  }),
  fc.record({ type: fc.constantFrom('add' as const, 'remove' as const), feed, topic }),
)

function bytesOf(each: Step): Buffer {
  const { type, feed: name, topic: of } = each
  return type === 'publish'
    ? write.publication(name, of, each.text)
    : write.subscription(name, of, type === 'add')
}

const HEARING = Buffer.concat(
  ['a', 'i'].map((name) => Buffer.concat([Buffer.of(4), write.text(name), Buffer.of(1)])),
)
const EVERYTHING = Buffer.concat(
  ['a', 'i'].flatMap((name) => ['x', 'y'].map((of) => write.subscription(name, of))),
)

const END = sent('nobody', '127.0.0.1', 'end', '', 'end')

/** What the one who does it all hears, and one who only listens. */
async function heardBy(
  steps: readonly Step[],
  turns: readonly number[],
): Promise<{ readonly actor: string; readonly listener: string }> {
  const limits = { queueBytesMax: 1e9, stallTimeoutMs: 1e6, topicFiltersMax: 1e3, conditionsMax: 9 }
  using hub = new Hub(new SlowLog(turns), limits)
  const publishers = new AddressList(['127.0.0.1'])
  const environment = {
    hub,
    policy: new Policy({ publishers, secureTopics: [] }),
    connections: { count() {}, isExceeded: false },
    limits: { ...limits, topicsMax: 100, jsonDepthMax: 100, waitingLoginsMax: 1 },
    logger() {},
  } as unknown as DoorEnvironment
  await using door = await JetblackDoor.open(SETTINGS, environment)
  using listener = new Client(door)
  listener.socket.write(Buffer.concat([EVERYTHING, HEARING, write.subscription('end', '')]))
  // It hears of its own subscriptions, behind which it has one more.
  while (listener.received.length < 4 * notification('a', 'x', true).length) await pause(1)
  using actor = new Client(door)
  actor.socket.end(Buffer.concat(steps.map(bytesOf)))
  await actor.ends()
  // All that is due to the listener has been sent before what this is due.
  using last = new Client(door)
  last.socket.write(write.publication('end', '', 'end'))
  const untilMs = performance.now() + DEADLINE_MS
  while (!listener.received.includes(END) && performance.now() < untilMs) await pause(1)
  return {
    actor: withoutIds(actor.received),
    listener: withoutIds(listener.received.subarray(0, listener.received.indexOf(END))),
  }
}

/** Who speaks in all that the clients here send. */
const SENDER = Buffer.concat([write.text('nobody'), write.text('127.0.0.1')])

/** Notifications and images have an id of 16 bytes behind user and host, which differs. */
function withoutIds(bytes: Buffer): string {
  let text = ''
  for (let at = 0; at < bytes.length;) {
    const next = bytes.indexOf(SENDER, at)
    if (next < 0) return text + bytes.subarray(at).toString('latin1')
    const behind = next + SENDER.length
    text += bytes.subarray(at, behind).toString('latin1')
    const hasId = next > 0 && (bytes[next - 1] === 3 || bytes[next - 1] === 9)
    at = behind + (hasId ? 16 : 0)
  }
  return text
}

function notification(feedOf: string, topicOf: string, isAdd: boolean): Buffer {
  const pair = [write.text(feedOf), write.text(topicOf)]
  return Buffer.concat([Buffer.of(3), SENDER, ...pair, Buffer.of(isAdd ? 1 : 0)])
}

function image(feedOf: string, topicOf: string, text: string): Buffer {
  const all = sent('nobody', '127.0.0.1', feedOf, topicOf, text)
  all[0] = 9
  all[1 + SENDER.length + write.text(feedOf).length + write.text(topicOf).length] = 1
  return all
}

/** What they hear, if each step is done before the next one. */
function modelOf(steps: readonly Step[]): { readonly actor: string; readonly listener: string } {
  const actor: Buffer[] = []
  const listener = ['a', 'i'].flatMap((each) =>
    ['x', 'y'].map((of) => notification(each, of, true)),
  )
  // In the order in which they come: feeds, then topics.
  const subscribed = new Map<string, Map<string, number>>()
  const last = new Map<string, Map<string, string>>()
  for (const { feed: of, topic: on, ...more } of steps) {
    const count = subscribed.get(of)?.get(on) ?? 0
    if (more.type === 'publish') {
      const data = sent('nobody', '127.0.0.1', of, on, more.text)
      listener.push(data)
      if (count > 0) actor.push(data)
      last.set(of, (last.get(of) ?? new Map<string, string>()).set(on, more.text))
    } else if (more.type === 'add') {
      subscribed.set(of, (subscribed.get(of) ?? new Map<string, number>()).set(on, count + 1))
      listener.push(notification(of, on, true))
      const text = last.get(of)?.get(on)
      if (of === 'i' && count === 0 && text !== undefined) actor.push(image(of, on, text))
    } else {
      if (count > 1) subscribed.get(of)!.set(on, count - 1)
      else if (count === 1) {
        subscribed.get(of)!.delete(on)
        if (subscribed.get(of)!.size === 0) subscribed.delete(of)
      }
      listener.push(notification(of, on, false))
    }
  }
  for (const [of, topics] of last) for (const on of topics.keys()) listener.push(stale(of, on))
  for (const [of, topics] of subscribed)
    for (const on of topics.keys()) listener.push(notification(of, on, false))
  const [forActor, forListener] = [actor, listener].map((all) =>
    Buffer.concat(all).toString('latin1'),
  )
  return { actor: forActor!, listener: forListener! }
}

test('however slow the log is, everybody hears what one connection does in the order in which it did it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 12 }),
      fc.array(fc.nat(6), { minLength: 12, maxLength: 12 }),
      async (steps, turns) => {
        assert.deepEqual(await heardBy(steps, turns), modelOf(steps))
      },
    ),
    { numRuns: Number(process.env['FUZZ_RUNS'] ?? 60) },
  )
})
