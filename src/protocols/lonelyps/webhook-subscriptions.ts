import type { ConsumerSubscriptions } from '../../consumers/durable-consumer.ts'
import type { PublishedEvent } from '../../hub/event.ts'
import type { StoredSubscription, StoredSubscriptions } from './stored-subscriptions.ts'
import { topicOfPath, type Topic } from './topic.ts'

/** The stored subscriptions by the URLs to which their events go: each URL is a durable consumer. */
export class WebhookSubscriptions implements ConsumerSubscriptions<StoredSubscription> {
  readonly #rows: StoredSubscriptions
  /** The topic of the event that was asked for last: consumers that are behind ask for it together. */
  #topic: { readonly path: string; readonly topic: Topic } | null = null

  constructor(rows: StoredSubscriptions) {
    this.#rows = rows
  }

  get size(): number {
    return this.#rows.size
  }

  get consumers(): Iterable<string> {
    return this.#rows.urls
  }

  consumerOf({ url }: StoredSubscription): string {
    return url
  }

  hasAny(url: string): boolean {
    return this.#rows.hasAny(url)
  }

  of(url: string): readonly StoredSubscription[] {
    return this.#rows.of(url)
  }

  /** Exact ones first. */
  matching({ path }: PublishedEvent): Iterable<StoredSubscription | null> {
    return this.#rows.matching(this.#topicOf(path))
  }

  matchingOf(url: string, { path }: PublishedEvent): Iterable<StoredSubscription | null> {
    return this.#rows.matchingOf(url, this.#topicOf(path))
  }

  current(row: StoredSubscription): StoredSubscription | null {
    return this.#rows.current(row)
  }

  #topicOf(path: string): Topic {
    if (this.#topic?.path !== path) this.#topic = { path, topic: topicOfPath(path) }
    return this.#topic.topic
  }
}
