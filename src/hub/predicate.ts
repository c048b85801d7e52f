import type { PublishedEvent } from './event.ts'

/** A condition beside the topics: an event that does not match it is not due. */
export interface EventPredicate {
  /** Equal for equal wishes: it is evaluated once per distinct key and event, and equal ones may share an audience. */
  readonly key: string
  /** Asked only about events that the subscriber may see. Whose predicate throws, ends: due or not is not known then. */
  matches(event: PublishedEvent): boolean
}

/** Equal predicates of all audiences, each evaluated once per event. */
export class SharedPredicates {
  readonly #byKey = new Map<string, SharedPredicate>()

  /** How many there would be with these. */
  sizeWith(predicates: readonly EventPredicate[]): number {
    return this.#byKey.size + predicates.filter(({ key }) => !this.#byKey.has(key)).length
  }

  acquire(predicate: EventPredicate): EventPredicate {
    let shared = this.#byKey.get(predicate.key)
    if (shared === undefined)
      this.#byKey.set(predicate.key, (shared = new SharedPredicate(predicate)))
    shared.users++
    return shared
  }

  release({ key }: EventPredicate): void {
    const shared = this.#byKey.get(key)!
    if (--shared.users === 0) this.#byKey.delete(key)
  }
}

/** Remembers what it said of the last event: audiences are offered one event after another. */
class SharedPredicate implements EventPredicate {
  readonly key: string
  users = 0
  readonly #predicate: EventPredicate
  #event: PublishedEvent | null = null
  #result = false

  constructor(predicate: EventPredicate) {
    this.key = predicate.key
    this.#predicate = predicate
  }

  matches(event: PublishedEvent): boolean {
    if (event !== this.#event) {
      this.#result = this.#predicate.matches(event)
      this.#event = event
    }
    return this.#result
  }
}
