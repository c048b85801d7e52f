import type { Position, PublishedEvent } from './event.ts'
import type { EventPredicate } from './predicate.ts'
import type { Rights } from './rights.ts'
import { filterMatches, matcherOf, type TopicFilter } from './topics.ts'
import { UsedByShares } from './used-by-shares.ts'
import type { WantEntry, WantIndex, WantOwner } from './want-index.ts'
import {
  countFilters,
  isPredicate,
  isTopicFilter,
  keyOfPath,
  keyOfWant,
  sumOf,
  weightOf,
  type CanonicalWants,
  type FilterCount,
  type Want,
  type WantsChange,
  type WantsMatcher,
} from './wants.ts'

/** An audience as its group knows it. */
export interface Placed {
  /** Its place in its group; kept for the group, which alone changes it. */
  place: number
  readonly rights: Rights
}

/**
 * Audiences that want the same, and differ in rights, conditions or form: one look at the index finds them all, and
 * who gets other rights moves between them without another one.
 */
export abstract class AudienceGroup<A extends Placed> extends UsedByShares implements WantOwner {
  /** Equal for equal wants. */
  readonly key: string
  readonly audiences: A[] = []
  foundAt = -1
  /** Which predicates are still to be asked about an event, by its position. `null`: there has been none that took so long. */
  #asked: Map<number, SetIterator<EventPredicate>> | null = null

  constructor(key: string) {
    super()
    this.key = key
  }

  /** What a reading of the log can be narrowed to; `undefined`: every event has to be looked at. */
  abstract get readFilters(): readonly TopicFilter[] | undefined

  abstract matcher(): WantsMatcher

  /** What else an event may be wanted by: these are asked only about events that may be seen. */
  abstract get predicates(): ReadonlySet<EventPredicate>

  /** All of its wants. */
  abstract get wants(): readonly Want[]

  /** What each share that uses it is charged with. */
  abstract get filterWeight(): number

  /** Called when it has no audience, so that nothing goes to it if it is still found. `true`: the index is to be swept. */
  abstract leaveIndex(): boolean

  maySee(event: PublishedEvent): boolean {
    return this.audiences.some(({ rights }) => rights.maySee(event))
  }

  /**
   * Whether one of the predicates wants an event. `null`: more are to be asked than there is time for until `untilMs`, by
   * `performance.now()`; it goes on there when it is called again.
   */
  isWantedByPredicates(event: PublishedEvent, untilMs: number): boolean | null {
    const left = this.#asked?.get(event.position) ?? this.predicates.values()
    this.#asked?.delete(event.position)
    for (let next = left.next(); next.done !== true; next = left.next()) {
      if (next.value.matches(event)) return true
      if (performance.now() > untilMs) {
        this.#keepAsking(event, left)
        return null
      }
    }
    return false
  }

  /** One who leaves in between never comes back for it, so that the oldest goes where there are too many. */
  #keepAsking({ position }: PublishedEvent, left: SetIterator<EventPredicate>): void {
    this.#asked ??= new Map()
    const [oldest] = this.#asked.keys()
    if (this.#asked.size >= ASKED_MAX) this.#asked.delete(oldest!)
    this.#asked.set(position, left)
  }

  add(audience: A): void {
    audience.place = this.audiences.length
    this.audiences.push(audience)
  }

  /** `true`: none is left. Who goes through them from last to first misses none when the one that it is at goes. */
  remove(audience: A): boolean {
    const last = this.audiences.pop()!
    if (last !== audience) {
      this.audiences[audience.place] = last
      last.place = audience.place
    }
    return this.audiences.length === 0
  }
}

/** The group of all who want the same, and go on to want it. */
export class SharedGroup<A extends Placed> extends AudienceGroup<A> {
  readonly #index: WantIndex<AudienceGroup<A>>
  readonly #entry: WantEntry
  readonly filterWeight: number

  constructor({ wants, key }: CanonicalWants, index: WantIndex<AudienceGroup<A>>) {
    super(key)
    this.filterWeight = weightOf(countFilters(wants))
    this.#index = index
    this.#entry = index.add(wants, this)
  }

  /** Made anew each time: as kept lists they would take more memory than the index. */
  get #filters(): readonly TopicFilter[] {
    return this.#entry.filters?.filters() ?? []
  }

  get wants(): readonly Want[] {
    const { paths, predicates } = this.#entry
    return [...this.#filters, ...paths.map((path) => ({ path })), ...predicates]
  }

  get readFilters(): readonly TopicFilter[] | undefined {
    const { paths, predicates } = this.#entry
    return paths.length > 0 || predicates.length > 0 ? undefined : this.#filters
  }

  get predicates(): ReadonlySet<EventPredicate> {
    const { predicates } = this.#entry
    return predicates.length === 0 ? NO_PREDICATES : new Set(predicates)
  }

  matcher(): WantsMatcher {
    const matchesTopics = matcherOf(this.#filters)
    const paths = new Set(this.#entry.paths)
    const matches = (event: PublishedEvent) => matchesTopics(event) || paths.has(event.path)
    return paths.size === 0 ? matchesTopics : matches
  }

  leaveIndex(): boolean {
    return this.#index.remove(this.#entry, this)
  }
}

/** The group of one subscriber who has changed what it wants, and may do so again: each want is added and dropped by itself. */
export class ChangingGroup<A extends Placed> extends AudienceGroup<A> {
  readonly #index: WantIndex<AudienceGroup<A>>
  readonly #held = new Map<string, HeldWant>()
  readonly #filters = new Set<HeldWant<TopicFilter>>()
  readonly #predicates = new Set<HeldPredicate>()
  #filterCount: FilterCount = { filters: 0, topics: 0 }

  /** `wants`: since ever. */
  constructor(key: string, wants: readonly Want[], index: WantIndex<AudienceGroup<A>>) {
    super(key)
    this.#index = index
    for (const want of wants) this.#hold(want, -1)
  }

  get wants(): readonly Want[] {
    return Array.from(this.#held.values(), ({ want }) => want)
  }

  get filterCount(): FilterCount {
    return this.#filterCount
  }

  get filterWeight(): number {
    return weightOf(this.#filterCount)
  }

  has(key: string): boolean {
    return this.#held.has(key)
  }

  /** Wishes change while a page is read, so that it is looked at with those of the time when it is handed over. */
  get readFilters(): undefined {
    return undefined
  }

  /**
   * What is added is due from behind `head` on; what is dropped is not due any more, wherever its subscriber is. `true`: the
   * index is to be swept.
   */
  change({ add = [], drop = [] }: WantsChange, head: Position): boolean {
    const dropped = drop.map((want) => this.#release(keyOfWant(want)))
    for (const want of add) this.#hold(want, head)
    return dropped.includes(true)
  }

  get predicates(): ReadonlySet<EventPredicate> {
    return this.#predicates
  }

  matcher(): WantsMatcher {
    return (event) => this.#matches(event)
  }

  /** Paths may be ten thousand, and go later: they lead to nobody any more. Filters are counted, and predicates asked. */
  leaveIndex(): boolean {
    for (const { entry } of this.#filters) this.#index.remove(entry, this)
    for (const { entry } of this.#predicates) this.#index.remove(entry, this)
    this.#index.removeSoon(this.#held.values(), this)
    return true
  }

  #matches(event: PublishedEvent): boolean {
    const held = this.#held.get(keyOfPath(event.path))
    if (held !== undefined && event.position > held.since) return true
    for (const { want, since } of this.#filters)
      if (event.position > since && filterMatches(want, event)) return true
    return false
  }

  #hold(want: Want, since: number): void {
    const key = keyOfWant(want)
    if (this.#held.has(key)) return
    const entry = this.#index.add([want], this)
    if (isPredicate(want)) {
      const held = new HeldPredicate(want, entry, since)
      this.#held.set(key, held)
      this.#predicates.add(held)
    } else if (isTopicFilter(want)) {
      const held = { want, entry, since }
      this.#held.set(key, held)
      this.#filters.add(held)
      this.#filterCount = sumOf(this.#filterCount, countFilters([want]))
    } else this.#held.set(key, { want, entry, since })
  }

  /** `true`: the index is to be swept. */
  #release(key: string): boolean {
    const held = this.#held.get(key)
    if (held === undefined) return false
    this.#held.delete(key)
    if (held instanceof HeldPredicate) this.#predicates.delete(held)
    else if (this.#filters.delete(held as HeldWant<TopicFilter>))
      this.#filterCount = sumOf(this.#filterCount, countFilters([held.want]), -1)
    return this.#index.remove(held.entry, this)
  }
}

interface HeldWant<W extends Want = Want> {
  readonly want: W
  readonly entry: WantEntry
  /** Events behind this position are due. */
  readonly since: number
}

class HeldPredicate implements HeldWant<EventPredicate>, EventPredicate {
  readonly want: EventPredicate
  readonly entry: WantEntry
  readonly since: number

  constructor(want: EventPredicate, entry: WantEntry, since: number) {
    this.want = want
    this.entry = entry
    this.since = since
  }

  get key(): string {
    return this.want.key
  }

  matches(event: PublishedEvent): boolean {
    return event.position > this.since && this.want.matches(event)
  }
}

const NO_PREDICATES: ReadonlySet<EventPredicate> = new Set()

/** Events of which it is known how far their predicates have been asked: one for each place at which members are. */
const ASKED_MAX = 1_024
