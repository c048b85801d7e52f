import type { Publication } from '../publication/publication.ts'

/** Topics that must all be on the event. No topics: every event. */
export interface TopicFilter {
  /** Distinct. */
  readonly topics: readonly string[]
  /** Private events only (a subscription that begins with `private`). */
  readonly privateOnly: boolean
}

export function filterMatches(
  filter: TopicFilter,
  event: Pick<Publication, 'topics' | 'isPrivate'>,
): boolean {
  if (filter.privateOnly && !event.isPrivate) return false
  return filter.topics.every((topic) => event.topics.includes(topic))
}

/** The same wishes in the same words: sorted, without repetitions, and alone where a filter wants everything. */
export function canonicalFilters(filters: readonly TopicFilter[]): {
  readonly filters: readonly TopicFilter[]
  /** Equal for equal wishes. */
  readonly key: string
} {
  if (filters.some((filter) => filter.topics.length === 0 && !filter.privateOnly))
    return { filters: [{ topics: [], privateOnly: false }], key: '*' }
  const [only] = filters
  if (filters.length === 1 && only!.topics.length < 2)
    return { filters, key: keyOf(only!.privateOnly, only!.topics) }
  const byKey = new Map<string, TopicFilter>()
  for (const { topics, privateOnly } of filters) {
    const sorted = [...new Set(topics)].toSorted()
    byKey.set(keyOf(privateOnly, sorted), { topics: sorted, privateOnly })
  }
  const keys = [...byKey.keys()].toSorted()
  return { filters: keys.map((key) => byKey.get(key)!), key: keys.join() }
}

function keyOf(privateOnly: boolean, topics: readonly string[]): string {
  return JSON.stringify([privateOnly, topics])
}

/** What the index finds: whoever has filters. `T` carries the mark by which it is found once per event. */
export interface Indexed {
  readonly filters: readonly TopicFilter[]
  /** Scratch of the index: the last search that found it. */
  foundIn: number
}

/**
 * Who wants an event. Each filter is kept under the rarest of its topics, so an event looks only at filters that share
 * a rare topic with it, and the cost stays flat as unrelated filters grow.
 */
export class TopicIndex<T extends Indexed> {
  /** Filters by the topic they are kept under. */
  readonly #anchored = new Map<string, Entry<T>[]>()
  /** Filters without topics. */
  readonly #topicless: Entry<T>[] = []
  /** In how many filters a topic stands: what makes it rare. */
  readonly #mentions = new Map<string, number>()
  #search = 0
  #size = 0

  /** Filters in the index. */
  get size(): number {
    return this.#size
  }

  add(owner: T): void {
    for (const filter of owner.filters) {
      const anchor = this.#rarest(filter.topics)
      this.#size++
      for (const topic of filter.topics)
        this.#mentions.set(topic, (this.#mentions.get(topic) ?? 0) + 1)
      if (anchor === undefined) this.#topicless.push({ filter, owner })
      else {
        const bucket = this.#anchored.get(anchor)
        if (bucket === undefined) this.#anchored.set(anchor, [{ filter, owner }])
        else bucket.push({ filter, owner })
      }
    }
  }

  remove(owner: T): void {
    for (const filter of owner.filters) {
      this.#size--
      for (const topic of filter.topics) {
        const mentions = this.#mentions.get(topic)! - 1
        if (mentions === 0) this.#mentions.delete(topic)
        else this.#mentions.set(topic, mentions)
      }
      // Where it was anchored is not remembered: that would cost every filter memory to save a rare removal a few looks.
      if (filter.topics.length === 0) cut(this.#topicless, filter, owner)
      for (const topic of filter.topics) {
        const bucket = this.#anchored.get(topic)
        if (bucket === undefined || !cut(bucket, filter, owner)) continue
        if (bucket.length === 0) this.#anchored.delete(topic)
        break
      }
    }
  }

  /** Everyone who has a filter that the event matches, once each. */
  matching(event: Publication): T[] {
    const found: T[] = []
    const search = ++this.#search
    const collect = (entries: readonly Entry<T>[]) => {
      for (const { filter, owner } of entries) {
        if (owner.foundIn === search || !filterMatches(filter, event)) continue
        owner.foundIn = search
        found.push(owner)
      }
    }
    collect(this.#topicless)
    for (const topic of event.topics) {
      const bucket = this.#anchored.get(topic)
      if (bucket !== undefined) collect(bucket)
    }
    return found
  }

  #rarest(topics: readonly string[]): string | undefined {
    let rarest: string | undefined
    let fewest = Infinity
    for (const topic of topics) {
      const mentions = this.#mentions.get(topic) ?? 0
      if (mentions < fewest) {
        fewest = mentions
        rarest = topic
      }
    }
    return rarest
  }
}

interface Entry<T> {
  readonly filter: TopicFilter
  readonly owner: T
}

function cut<T>(entries: Entry<T>[], filter: TopicFilter, owner: T): boolean {
  const at = entries.findIndex((entry) => entry.filter === filter && entry.owner === owner)
  if (at === -1) return false
  entries[at] = entries[entries.length - 1]!
  entries.pop()
  return true
}
