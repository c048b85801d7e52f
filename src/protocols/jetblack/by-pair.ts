import type { Pair } from './publication.ts'

/** What is kept of pairs of feed and topic. */
export class ByPair<V> {
  readonly #byFeed = new Map<string, Map<string, V>>()

  get({ feed, topic }: Pair): V | undefined {
    return this.#byFeed.get(feed)?.get(topic)
  }

  getOrMake({ feed, topic }: Pair, make: () => V): V {
    const byTopic = this.#topicsIn(feed)
    let value = byTopic.get(topic)
    if (value === undefined) byTopic.set(topic, (value = make()))
    return value
  }

  set(pair: Pair, value: V): void {
    this.#topicsIn(pair.feed).set(pair.topic, value)
  }

  delete({ feed, topic }: Pair): void {
    const byTopic = this.#byFeed.get(feed)
    if (byTopic?.delete(topic) === true && byTopic.size === 0) this.#byFeed.delete(feed)
  }

  /** Those of one feed. */
  topicsOf(feed: string): ReadonlyMap<string, V> {
    return this.#byFeed.get(feed) ?? NONE
  }

  feeds(): Iterable<readonly [feed: string, byTopic: ReadonlyMap<string, V>]> {
    return this.#byFeed
  }

  #topicsIn(feed: string): Map<string, V> {
    let byTopic = this.#byFeed.get(feed)
    if (byTopic === undefined) this.#byFeed.set(feed, (byTopic = new Map<string, V>()))
    return byTopic
  }

  *[Symbol.iterator](): Generator<readonly [Pair, V]> {
    for (const [feed, byTopic] of this.#byFeed)
      for (const [topic, value] of byTopic) yield [{ feed, topic }, value]
  }
}

const NONE = new Map<string, never>()
