import { setImmediate as turn } from 'node:timers/promises'
import { LogUnavailableError } from '../../src/hub/errors.ts'
import type { Publication } from '../../src/publication/publication.ts'
import { Hub } from '../../src/hub/hub.ts'
import type { StateChange, StateStore } from '../../src/hub/state-store.ts'
import { MemoryStateStore } from '../../src/log/memory/memory-state-store.ts'
import { MemoryEventLog } from '../../src/log/memory/memory-event-log.ts'
import type { ConsumerDelivery, DeliveryOutcome } from '../../src/consumers/durable-consumer.ts'
import { DurableConsumers } from '../../src/consumers/durable-consumers.ts'
import { WebhookSubscriptions } from '../../src/protocols/lonelyps/webhook-subscriptions.ts'
import {
  StoredSubscriptions,
  type StoredSubscription,
  type StoredSubscriptionLimits,
} from '../../src/protocols/lonelyps/stored-subscriptions.ts'

export const ROW_LIMITS: StoredSubscriptionLimits = {
  subscriptionsMax: 1_000,
  subscriptionsPerPeerMax: 100,
  subscriptionsPerAddressMax: 0,
  globsMax: 100,
  globsPerAddressMax: 0,
}

function publication(path: string, n: number): Publication {
  const topics = path.split('/').filter((segment) => segment !== '')
  return { topics, isPrivate: false, path, payload: { type: 'json-object', text: `{"n":${n}}` } }
}

/** Storage whose disk can be full or slow, and that a killed process does not reach any more. */
export class FaultyStateStore implements StateStore {
  isFull = false
  isCutOff = false
  /** What is applied waits for it. */
  gate: Promise<void> = Promise.resolve()
  readonly #store: StateStore

  constructor(store: StateStore) {
    this.#store = store
  }

  get(space: string, key: string): Promise<Uint8Array | null> {
    return this.#store.get(space, key)
  }

  async apply(changes: readonly StateChange[]): Promise<void> {
    await this.gate
    if (this.isCutOff) return new Promise(() => {})
    if (this.isFull) throw new LogUnavailableError('the disk is full')
    await this.#store.apply(changes)
  }

  entries(space: string) {
    return this.#store.entries(space)
  }
}

export interface Sent {
  readonly url: string
  readonly path: string
  readonly n: number
  readonly recovery: string | null
}

/** Storage that stays, and a process with consumers that can end and begin again. Nothing goes over a network. */
export class World {
  readonly log: MemoryEventLog
  readonly kept = new MemoryStateStore()
  readonly sent: Sent[] = []
  readonly lost: StoredSubscription[] = []
  state!: FaultyStateStore
  hub!: Hub
  rows!: StoredSubscriptions
  consumers!: DurableConsumers<StoredSubscription>
  /** How a delivery ends: with how many have got it, or negative: it has failed. */
  answer: (sent: Sent) => Promise<number> = () => Promise.resolve(1)
  maySee: (row: StoredSubscription) => boolean = () => true
  retryAfterMs: (failures: number) => number | null = () => null
  readonly logged: string[] = []
  #n = 0
  #life = 0

  constructor(eventsMax = 10_000) {
    this.log = new MemoryEventLog({
      eventsMax,
      maxAgeMs: 0,
      bytesMax: Infinity,
      keyWindowMs: 1,
      keysMax: 1,
    })
  }

  get life(): number {
    return this.#life
  }

  async start(): Promise<void> {
    const life = ++this.#life
    this.state = new FaultyStateStore(this.kept)
    this.hub = new Hub(this.log, {
      queueBytesMax: 1,
      stallTimeoutMs: 1_000,
      topicFiltersMax: 1,
      conditionsMax: 1,
    })
    let consumers: DurableConsumers<StoredSubscription> | null = null
    this.rows = await StoredSubscriptions.load({
      state: this.state,
      limits: ROW_LIMITS,
      onChange: (url) => consumers?.changed(url),
      isKnown: () => true,
    })
    consumers = this.consumers = new DurableConsumers({
      kind: 'test consumers',
      hub: this.hub,
      state: this.state,
      space: 'places',
      subscriptions: new WebhookSubscriptions(this.rows),
      policy: {
        deliver: (delivery) => this.#deliver(delivery, life),
        retryAfterMs: (failures) => this.retryAfterMs(failures),
        gaveUp: ({ subscription }) => void this.lost.push(subscription),
        lost: (row) => void this.lost.push(row),
        maySee: (row) => this.maySee(row),
      },
      logger: (_level, message) => void this.logged.push(message),
    })
    await this.consumers.resume()
  }

  kill(): void {
    this.#life++
    this.state.isCutOff = true
    this.hub[Symbol.dispose]()
    void this.consumers.close()
  }

  async stop(): Promise<void> {
    this.hub[Symbol.dispose]()
    await this.consumers.close()
    this.#life++
  }

  /** @returns the number of the first. */
  async publish(path: string, count = 1): Promise<number> {
    const first = this.#n
    const batch = Array.from({ length: count }, () => publication(path, this.#n++))
    await this.log.append(batch)
    return first
  }

  subscribe(url: string, topic: string, recovery: string | null = null): Promise<boolean> {
    return this.rows.add({
      interest: topic.includes('*')
        ? { type: 'glob', glob: topic }
        : { type: 'exact', topic: Buffer.from(topic) },
      url,
      recovery,
      owner: null,
      since: this.hub.cursorOf(this.hub.head),
    })
  }

  /** What was sent to one url, by number. */
  numbersTo(url: string): number[] {
    return this.sent.filter((sent) => sent.url === url).map(({ n }) => n)
  }

  async #deliver(
    { subscription, event }: ConsumerDelivery<StoredSubscription>,
    life: number,
  ): Promise<DeliveryOutcome> {
    if (life !== this.#life) return new Promise(() => {})
    const { n } = JSON.parse(event.payload.text) as { n: number }
    const { url, recovery } = subscription
    const sent = { url, path: event.path, n, recovery }
    this.sent.push(sent)
    const count = await this.answer(sent)
    return count < 0 ? { type: 'failed' } : { type: 'delivered', count }
  }
}

/** All that goes on without a timer. */
export async function settled(turns = 20): Promise<void> {
  for (let i = 0; i < turns; i++) await turn()
}
