import type { PublishedEvent } from './event.ts'
import { RememberingPredicate, type EventPredicate } from './predicate.ts'
import { isForAll } from './rights.ts'
import { TopicIndex, type IndexEntry } from './topics.ts'
import { isPathFilter, isPredicate, isTopicFilter, type Want } from './wants.ts'

/** Who wants something, as the index knows it. */
export interface WantOwner {
  /** The position of the event that was last found to be wanted: several of one's wants may match it. */
  foundAt: number
  /** Whether anybody there may see an event that is not for all. */
  maySee(event: PublishedEvent): boolean
}

/** What the index keeps of one owner. */
export interface WantEntry {
  readonly filters: IndexEntry | null
  readonly paths: readonly string[]
  readonly predicates: readonly EventPredicate[]
}

/** A predicate, and all who have it. */
interface AskedFor<O> {
  readonly predicate: EventPredicate
  readonly owners: Set<O>
  /** It came while others were being asked about the event of this position: those who have it get that from behind. */
  readonly since: number
}

interface Leaving<O> {
  readonly held: Iterator<{ readonly entry: WantEntry }>
  readonly owner: O
}

/** A wish takes some µs to take out, and a step of topic filters a tenth of one. */
const STEPS_PER_WANT = 16

/** Told of a predicate that has thrown, and of one of those who have it: whether the event is due there is not known. */
export type OnUnknown<O> = (owner: O, error: unknown) => void

/**
 * Who wants an event: by topics, which `TopicIndex` finds, by its whole path, or by predicates, each of which is asked once
 * about an event, however many have it.
 */
export class WantIndex<O extends WantOwner> {
  readonly #filters = new TopicIndex<O>()
  readonly #byPath = new Map<string, Set<O>>()
  readonly #predicates = new Map<string, AskedFor<O>>()
  /** Of owners that have left: what `sweep` takes out piece by piece. */
  readonly #leaving: Leaving<O>[] = []
  /** The event about which predicates were asked last. */
  #askedAt = -1

  /** Topic filters, without those of whom was removed. */
  get size(): number {
    return this.#filters.size
  }

  /** What the filters take: see `TopicIndex`. */
  get steps(): number {
    return this.#filters.steps
  }

  /** StreamRequest of one owner, which are all different. */
  add(wants: readonly Want[], owner: O): WantEntry {
    // So that what has left cannot pile up, however fast others come.
    this.#sweepLeaving(2 * wants.length)
    const filters = wants.filter(isTopicFilter)
    const isTopicsOnly = filters.length === wants.length
    const entry = {
      filters: filters.length === 0 ? null : this.#filters.add(filters, owner),
      paths: isTopicsOnly ? NONE : wants.filter(isPathFilter).map(({ path }) => path),
      predicates: isTopicsOnly ? NONE : wants.filter(isPredicate),
    }
    for (const path of entry.paths) {
      const owners = this.#byPath.get(path)
      if (owners === undefined) this.#byPath.set(path, new Set([owner]))
      else owners.add(owner)
    }
    for (const predicate of entry.predicates) {
      const shared = this.#predicates.get(predicate.key)
      if (shared !== undefined) shared.owners.add(owner)
      else
        this.#predicates.set(predicate.key, {
          predicate: new RememberingPredicate(predicate),
          owners: new Set([owner]),
          since: this.#askedAt,
        })
    }
    return entry
  }

  /** From now on nothing is found by these. `true`: topic filters are to be swept. */
  remove(entry: WantEntry, owner: O): boolean {
    for (const path of entry.paths) {
      const owners = this.#byPath.get(path)
      if (owners?.delete(owner) === true && owners.size === 0) this.#byPath.delete(path)
    }
    for (const { key } of entry.predicates) {
      const shared = this.#predicates.get(key)
      if (shared?.owners.delete(owner) === true && shared.owners.size === 0)
        this.#predicates.delete(key)
    }
    if (entry.filters === null) return false
    this.#filters.remove(entry.filters)
    return true
  }

  /**
   * As `remove` for each, but bit by bit, in `sweep`: until then the owner may be found, and is to have nobody who gets anything.
   */
  removeSoon(held: Iterator<{ readonly entry: WantEntry }>, owner: O): void {
    this.#leaving.push({ held, owner })
  }

  /** Of topic filters as in `TopicIndex`, and of what was removed soon. `false`: nothing is left. */
  sweep(steps: number): boolean {
    const isMoreLeaving = this.#sweepLeaving(steps / STEPS_PER_WANT)
    return this.#filters.sweep(steps) || isMoreLeaving
  }

  #sweepLeaving(count: number): boolean {
    for (let left = count; left > 0 && this.#leaving.length > 0; left--) {
      const { held, owner } = this.#leaving.at(-1)!
      const next = held.next()
      if (next.done === true) this.#leaving.pop()
      else this.remove(next.value.entry, owner)
    }
    return this.#leaving.length > 0
  }

  /** How many different predicates there are. */
  get predicateCount(): number {
    return this.#predicates.size
  }

  /**
   * Asks the predicates ahead that `matching` will ask, of one event in as many turns as it takes; then `matching` finds it
   * answered. `null`: one was asked. Otherwise, somebody who wants the event: each once at least.
   */
  *ask(event: PublishedEvent): Generator<O | null, void> {
    this.#askedAt = event.position
    // As they are now: whoever changes them all the time would keep everybody waiting.
    const [owners, asked] = [this.#byPath.get(event.path) ?? [], [...this.#predicates.values()]]
    yield* [...this.#filters.matching(event), ...owners]
    for (const { predicate, owners: having } of asked) {
      if (having.size === 0 || (!isForAll(event) && !mayAnySee(having, event))) continue
      const isWanted = isTrue(predicate, event)
      yield null
      if (isWanted) yield* Array.from(having)
    }
  }

  /** Everyone who wants the event, once each. */
  matching(event: PublishedEvent, onUnknown: OnUnknown<O>): readonly O[] {
    // One owner has several entries once it has changed its wants.
    const found = onceEach(this.#filters.matching(event), event)
    const owners = this.#byPath.get(event.path)
    if (owners !== undefined) collect(owners, event, found)
    for (const { predicate, owners: having, since } of this.#predicates.values()) {
      if (event.position <= since || (!isForAll(event) && !mayAnySee(having, event))) continue
      try {
        if (predicate.matches(event)) collect(having, event, found)
      } catch (error) {
        for (const owner of having) onUnknown(owner, error)
      }
    }
    return found
  }
}

/** What throws is asked again, and told then. */
function isTrue(predicate: EventPredicate, event: PublishedEvent): boolean {
  try {
    return predicate.matches(event)
  } catch {
    return false
  }
}

/** In place: mostly nobody is in it twice. */
function onceEach<O extends WantOwner>(owners: O[], { position }: PublishedEvent): O[] {
  let count = 0
  for (const owner of owners) {
    if (owner.foundAt === position) continue
    owner.foundAt = position
    owners[count++] = owner
  }
  owners.length = count
  return owners
}

const NONE: readonly never[] = []

function collect<O extends WantOwner>(
  owners: ReadonlySet<O>,
  event: PublishedEvent,
  to: O[],
): void {
  for (const owner of owners) {
    if (owner.foundAt === event.position) continue
    owner.foundAt = event.position
    to.push(owner)
  }
}

/** Rights that throw are asked again where it is known whose they are. */
function mayAnySee(owners: Iterable<WantOwner>, event: PublishedEvent): boolean {
  for (const owner of owners)
    try {
      if (owner.maySee(event)) return true
    } catch {
      return true
    }
  return false
}
