import type { Publication } from '../publication/publication.ts'
import { RecordPool } from './record-pool.ts'
import { hashOfText, SegmentedMap } from './segmented-map.ts'
import { shortKey } from './short-key.ts'

/** Topics that must all be on the event. No topics: every event. */
export interface TopicFilter {
  /** Distinct. */
  readonly topics: readonly string[]
  /** Private events only (a subscription that begins with `private`). */
  readonly privateOnly: boolean
}

/** What filters look at. */
export type FilteredEvent = Pick<Publication, 'topics' | 'isPrivate'>

/** For one look only: takes as long as both have topics, multiplied. Who looks more often asks a `matcherOf`. */
export function filterMatches(filter: TopicFilter, event: FilteredEvent): boolean {
  if (filter.privateOnly && !event.isPrivate) return false
  return filter.topics.every((topic) => event.topics.includes(topic))
}

/** Whether an event matches any of the filters. To be made once and asked about many events. */
export function matcherOf(filters: readonly TopicFilter[]): (event: FilteredEvent) => boolean {
  const topics = filters.reduce((sum, filter) => sum + filter.topics.length, 0)
  if (filters.length + topics <= FEW)
    return (event) => filters.some((filter) => filterMatches(filter, event))
  const index = new TopicIndex<null>()
  index.add(filters, null)
  return (event) => index.matching(event).length > 0
}

/** So many filters and topics are looked at one by one sooner than through an index. */
const FEW = 16

/** The same wants in the same words: sorted, without repetitions, and alone where a filter wants everything. */
export interface CanonicalFilters {
  readonly filters: readonly TopicFilter[]
  /** Equal for equal wants, and short however many they are. */
  readonly key: string
}

/** Takes about 3 µs for each filter. */
export function canonicalFilters(filters: readonly TopicFilter[]): CanonicalFilters {
  if (filters.some((filter) => filter.topics.length === 0 && !filter.privateOnly))
    return { filters: [{ topics: [], privateOnly: false }], key: '*' }
  const [only] = filters
  if (filters.length === 1 && only!.topics.length < 2)
    return { filters, key: shortKey(keyOf(only!.privateOnly, only!.topics)) }
  const byKey = new Map<string, TopicFilter>()
  for (const { topics, privateOnly } of filters) {
    const sorted = [...new Set(topics)].toSorted()
    byKey.set(keyOf(privateOnly, sorted), { topics: sorted, privateOnly })
  }
  return { filters: [...byKey.values()], key: shortKey([...byKey.keys()].toSorted().join()) }
}

function keyOf(privateOnly: boolean, topics: readonly string[]): string {
  return JSON.stringify([privateOnly, topics])
}

/** What the index keeps of one owner. */
export interface IndexEntry {
  /** How many filters it has. */
  readonly size: number
  /** They are not kept as they came, which would take most of the memory, but made from the index. */
  filters(): TopicFilter[]
}

/**
 * Who wants an event. Filters are paths in a tree: a filter's topics in a fixed order, so that filters which begin alike share
 * the way, and equal ones are one. An event goes down only where its own topics lead, so what it costs depends on how many
 * filters are made of its topics, not on how many there are. The topic that was mentioned last goes first: it is the rarer
 * one mostly, so that common topics lead an event nowhere.
 *
 * Adding takes as long as the filters are. Removing takes no time: `sweep` takes it out, piece by piece, while the owner is not
 * found any more. What all of that costs at most is held by `test/hub/topics.test.ts`.
 */
export class TopicIndex<T> {
  /** The nodes of the tree, and its topics, each of which is also the node of the filters that begin with it. */
  readonly #nodes = new RecordPool(FIELDS)
  /** The node of the filters without topics. */
  readonly #root = this.#nodes.take()
  /** Stands for "the event is private", the last one in the filters of private events. */
  readonly #private = this.#nodes.take()
  readonly #topics = new SegmentedMap<string, number>(hashOfText)
  /** Names, by what a topic has in `NAME`. */
  readonly #names = new Slots<string>()
  /** Nodes by their topics, by what their parent has in `CHILDREN`, where they are many. */
  readonly #maps = new Slots<SegmentedMap<number, number>>()
  /** Owners, by what a node has in `OWNERS`. */
  readonly #entries = new Slots<Entry<T>>()
  /** Likewise, where they are several. */
  readonly #lists = new Slots<OwnerList<T>>()
  readonly #removed: Entry<T>[] = []
  #search = 0
  #size = 0

  constructor() {
    for (const node of [this.#root, this.#private]) this.#nodes.set(node, TOPIC, node)
  }

  /** Filters in the index, without those of whom was removed. */
  get size(): number {
    return this.#size
  }

  /** Topics, and steps of paths that are not shared. Those of whom was removed count until they are swept. */
  get steps(): number {
    return this.#nodes.size - 2
  }

  add(filters: readonly TopicFilter[], owner: T): IndexEntry {
    // So that what is removed cannot pile up, however fast others come.
    this.sweep(filters.reduce((steps, { topics }) => steps + 1 + topics.length, 0))
    const ends = Int32Array.from(new Set(filters.map((filter) => this.#endOf(filter))))
    const entry = new Entry(owner, ends, (end) => this.#filterOf(end))
    entry.slot = this.#entries.add(entry)
    for (const end of ends) this.#addOwner(end, entry)
    this.#size += ends.length
    return entry
  }

  /** From now on the owner is not found. */
  remove(entry: IndexEntry): void {
    const removed = entry as Entry<T>
    if (removed.owner === REMOVED) return
    removed.owner = REMOVED
    this.#removed.push(removed)
    this.#size -= removed.size
  }

  /** Takes out filters of whom was removed, in about so many steps of some 100 ns. `false`: none is left. */
  sweep(steps: number): boolean {
    for (let left = steps; left > 0 && this.#removed.length > 0; left--) {
      const entry = this.#removed.at(-1)!
      if (entry.unswept > 0) left -= this.#dropOwner(entry.ends[--entry.unswept]!, entry)
      else {
        this.#removed.pop()
        this.#entries.remove(entry.slot)
      }
    }
    return this.#removed.length > 0
  }

  /** Everyone who has a filter that the event matches, once each. */
  matching(event: FilteredEvent): T[] {
    const nodes = this.#nodes
    const found: T[] = []
    const search = this.#nextSearch()
    this.#collect(this.#root, search, found)
    const present = this.#present(event, search)
    const stack = present.slice()
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      this.#collect(node, search, found)
      const children = nodes.get(node, CHILDREN)
      if (children > 0) {
        for (let child = children; child !== 0; child = nodes.get(child, NEXT))
          if (nodes.get(nodes.get(child, TOPIC), SEEN_IN) === search) stack.push(child)
      } else if (children < 0) {
        const map = this.#maps.get(-children)
        if (map.size > present.length)
          for (const topic of present) {
            const child = map.get(topic)
            if (child !== undefined) stack.push(child)
          }
        else
          for (const child of map.values())
            if (nodes.get(nodes.get(child, TOPIC), SEEN_IN) === search) stack.push(child)
      }
    }
    return found
  }

  #nextSearch(): number {
    if (this.#search === SEARCHES_MAX) {
      for (const topic of this.#topics.values()) this.#nodes.set(topic, SEEN_IN, 0)
      this.#nodes.set(this.#private, SEEN_IN, 0)
      for (const entry of this.#entries.values()) entry.foundIn = 0
      this.#search = 0
    }
    return ++this.#search
  }

  /** The topics of an event that filters have, once each. */
  #present({ topics, isPrivate }: FilteredEvent, search: number): number[] {
    const present: number[] = []
    for (const name of topics) {
      const topic = this.#topics.get(name)
      if (topic === undefined || this.#nodes.get(topic, SEEN_IN) === search) continue
      this.#nodes.set(topic, SEEN_IN, search)
      present.push(topic)
    }
    if (isPrivate) {
      this.#nodes.set(this.#private, SEEN_IN, search)
      present.push(this.#private)
    }
    return present
  }

  #collect(node: number, search: number, found: T[]): void {
    const owners = this.#nodes.get(node, OWNERS)
    if (owners === 0) return
    if (owners > 0) collectOne(this.#entries.get(owners), search, found)
    else for (const entry of this.#lists.get(-owners).entries) collectOne(entry, search, found)
  }

  /** Where a filter's path ends; made where it is not there. */
  #endOf({ topics, privateOnly }: TopicFilter): number {
    const path = topics.map((name) => this.#topicOf(name)).toSorted((a, b) => b - a)
    if (privateOnly) path.push(this.#private)
    let node = path[0] ?? this.#root
    for (let i = 1; i < path.length; i++)
      node = this.#childOf(node, path[i]!) ?? this.#addChild(node, path[i]!)
    return node
  }

  #topicOf(name: string): number {
    let topic = this.#topics.get(name)
    if (topic === undefined) {
      topic = this.#nodes.take()
      const kept = copied(name)
      this.#nodes.set(topic, TOPIC, topic)
      this.#nodes.set(topic, NAME, this.#names.add(kept))
      this.#topics.add(kept, topic)
    }
    return topic
  }

  #filterOf(end: number): TopicFilter {
    const topics: string[] = []
    let privateOnly = false
    for (let node = end; ; node = this.#nodes.get(node, PARENT)) {
      const topic = this.#nodes.get(node, TOPIC)
      if (topic === this.#private) privateOnly = true
      else if (topic !== this.#root) topics.push(this.#names.get(this.#nodes.get(topic, NAME)))
      if (topic === node) return { topics, privateOnly }
    }
  }

  #childOf(parent: number, topic: number): number | undefined {
    const children = this.#nodes.get(parent, CHILDREN)
    if (children < 0) return this.#maps.get(-children).get(topic)
    for (let child = children; child !== 0; child = this.#nodes.get(child, NEXT))
      if (this.#nodes.get(child, TOPIC) === topic) return child
    return undefined
  }

  #addChild(parent: number, topic: number): number {
    const nodes = this.#nodes
    const node = nodes.take()
    nodes.set(node, TOPIC, topic)
    nodes.set(node, PARENT, parent)
    nodes.set(topic, MENTIONS, nodes.get(topic, MENTIONS) + 1)
    const first = nodes.get(parent, CHILDREN)
    if (first >= 0) {
      nodes.set(node, NEXT, first)
      if (first > 0) nodes.set(first, PREVIOUS, node)
      nodes.set(parent, CHILDREN, node)
      this.#mapIfMany(parent)
    } else this.#maps.get(-first).add(topic, node)
    return node
  }

  #mapIfMany(parent: number): void {
    const children: number[] = []
    const first = this.#nodes.get(parent, CHILDREN)
    for (let child = first; child !== 0; child = this.#nodes.get(child, NEXT)) children.push(child)
    if (children.length <= CHILDREN_LISTED_MAX) return
    const map = new SegmentedMap<number, number>((topic) => topic)
    for (const child of children) map.add(this.#nodes.get(child, TOPIC), child)
    this.#nodes.set(parent, CHILDREN, -this.#maps.add(map))
  }

  #dropChild(parent: number, child: number): void {
    const nodes = this.#nodes
    const first = nodes.get(parent, CHILDREN)
    if (first < 0) {
      const map = this.#maps.get(-first)
      map.delete(nodes.get(child, TOPIC))
      if (map.size > 0) return
      this.#maps.remove(-first)
      nodes.set(parent, CHILDREN, 0)
      return
    }
    const [previous, next] = [nodes.get(child, PREVIOUS), nodes.get(child, NEXT)]
    if (next !== 0) nodes.set(next, PREVIOUS, previous)
    if (previous === 0) nodes.set(parent, CHILDREN, next)
    else nodes.set(previous, NEXT, next)
  }

  #addOwner(end: number, entry: Entry<T>): void {
    const owners = this.#nodes.get(end, OWNERS)
    if (owners === 0) this.#nodes.set(end, OWNERS, entry.slot)
    else if (owners < 0) this.#lists.get(-owners).entries.push(entry)
    else {
      const list = { entries: [this.#entries.get(owners), entry], dropped: [] }
      this.#nodes.set(end, OWNERS, -this.#lists.add(list))
    }
  }

  /** Steps that it took. */
  #dropOwner(end: number, entry: Entry<T>): number {
    const owners = this.#nodes.get(end, OWNERS)
    if (owners === entry.slot) {
      this.#nodes.set(end, OWNERS, 0)
      return this.#prune(end)
    }
    // Those that are gone are taken out of several when they are half of them, so that each costs a step or two.
    const list = this.#lists.get(-owners)
    list.dropped.push(entry)
    if (list.dropped.length * 2 < list.entries.length) return 0
    const steps = list.entries.length >> 3
    const dropped = new Set(list.dropped)
    list.entries = list.entries.filter((each) => !dropped.has(each))
    list.dropped = []
    if (list.entries.length > 0) return steps
    this.#lists.remove(-owners)
    this.#nodes.set(end, OWNERS, 0)
    return steps + this.#prune(end)
  }

  /** Takes out what nobody needs of a path, from its end on. How many steps of it were looked at. */
  #prune(end: number): number {
    const nodes = this.#nodes
    let node = end
    for (let steps = 1; ; steps++) {
      if (nodes.get(node, OWNERS) !== 0 || nodes.get(node, CHILDREN) !== 0) return steps
      const topic = nodes.get(node, TOPIC)
      if (topic === node) {
        this.#forgetUnused(topic)
        return steps
      }
      const parent = nodes.get(node, PARENT)
      this.#dropChild(parent, node)
      nodes.free(node)
      nodes.set(topic, MENTIONS, nodes.get(topic, MENTIONS) - 1)
      this.#forgetUnused(topic)
      node = parent
    }
  }

  #forgetUnused(topic: number): void {
    const nodes = this.#nodes
    if (topic === this.#root || topic === this.#private) return
    for (const use of [MENTIONS, OWNERS, CHILDREN]) if (nodes.get(topic, use) !== 0) return
    const name = nodes.get(topic, NAME)
    this.#topics.delete(this.#names.get(name))
    this.#names.remove(name)
    nodes.free(topic)
  }
}

/*
 * What a node holds. Its topic, which is itself where it begins paths, and who has filters that end here: 0: nobody; one's slot;
 * negative: the slot of a list. Its children: 0: none; the first; negative: the slot of a map. The rest depends.
 */
const TOPIC = 0
const OWNERS = 1
const CHILDREN = 2
/* Of a node in the middle of paths. */
const PARENT = 3
const NEXT = 4
const PREVIOUS = 5
/* Of a topic. */
const NAME = 3
const SEEN_IN = 4 // the last search whose event has it
const MENTIONS = 5 // nodes in the middle of paths that stand for it
const FIELDS = 6

/** More children than that have a map. */
const CHILDREN_LISTED_MAX = 8

/** What fits into a field; they begin anew then. */
const SEARCHES_MAX = 2 ** 31 - 1

/** Instead of an owner that was removed. */
const REMOVED = Symbol('removed')

class Entry<T> implements IndexEntry {
  owner: T | typeof REMOVED
  /** Where the paths of its filters end. */
  readonly ends: Int32Array
  slot = 0
  /** So many of the ends, from the first, know it: all of them until it is removed. */
  unswept: number
  /** The last search that found it. */
  foundIn = 0
  readonly #filterOf: (end: number) => TopicFilter

  constructor(owner: T, ends: Int32Array, filterOf: (end: number) => TopicFilter) {
    this.owner = owner
    this.ends = ends
    this.unswept = ends.length
    this.#filterOf = filterOf
  }

  get size(): number {
    return this.ends.length
  }

  filters(): TopicFilter[] {
    return Array.from(this.ends, (end) => this.#filterOf(end))
  }
}

interface OwnerList<T> {
  entries: Entry<T>[]
  /** Those of them who were swept. */
  dropped: Entry<T>[]
}

function collectOne<T>(entry: Entry<T>, search: number, found: T[]): void {
  if (entry.foundIn === search || entry.owner === REMOVED) return
  entry.foundIn = search
  found.push(entry.owner)
}

/** Things by small numbers from 1 on, which are used again. */
class Slots<V> {
  readonly #values: (V | null)[] = [null]
  readonly #free: number[] = []

  add(value: V): number {
    const slot = this.#free.pop() ?? this.#values.length
    this.#values[slot] = value
    return slot
  }

  get(slot: number): V {
    return this.#values[slot]!
  }

  *values(): IterableIterator<V> {
    for (const value of this.#values) if (value !== null) yield value
  }

  remove(slot: number): void {
    this.#values[slot] = null
    this.#free.push(slot)
    // All of them have gone: so does the memory.
    if (this.#free.length === this.#values.length - 1) this.#values.length = 1
    if (this.#values.length === 1) this.#free.length = 0
  }
}

/** A part of a long string keeps all of it in memory, here perhaps long after the request that it came with. */
function copied(name: string): string {
  return name.isWellFormed() ? Buffer.from(name).toString() : name
}
