import { OverloadedError } from './errors.ts'
import type { PublishedEvent } from './event.ts'
import { Quota } from './quota.ts'
import { UsedByShares, type Share } from './used-by-shares.ts'

/** A condition beside the topics: an event that does not match it is not due. */
export interface EventPredicate {
  /** Equal for equal wants: it is evaluated once per distinct key and event, and equal ones may share an audience. */
  readonly key: string
  /** Asked only about events that the subscriber may see. Whose predicate throws, ends: due or not is not known then. */
  matches(event: PublishedEvent): boolean
}

/** Equal conditions of all subscriptions, each evaluated once per event. */
export class SharedPredicates {
  readonly #max: number
  readonly #quota: Quota
  readonly #byKey = new Map<string, SharedPredicate>()

  /** `max`: different ones, of all together. */
  constructor(max: number, perShareMax: number) {
    this.#max = max
    this.#quota = new Quota({
      max,
      perShareMax,
      names: {
        things: 'different where and without conditions',
        max: 'limits.conditions',
        perShareMax: 'limits.conditions_per_address',
      },
    })
  }

  get size(): number {
    return this.#byKey.size
  }

  /** @throws {OverloadedError | ShareExceededError} they would be too many. */
  admit(predicates: readonly EventPredicate[], share: Share): void {
    if (predicates.length === 0) return
    let [added, created] = [0, 0]
    for (const { key } of predicates) {
      const shared = this.#byKey.get(key)
      if (shared === undefined) created++
      if (shared === undefined || shared.usesBy(share) === 0) added++
    }
    const free = this.#max - this.#byKey.size
    if (created > free)
      throw new OverloadedError(
        `the open streams have ${this.#byKey.size} different where and without conditions, ` +
          `and the limit is ${this.#max} (limits.conditions)`,
      )
    this.#quota.admit(share, { added, created, free })
  }

  /** For one more subscription. */
  acquire(predicate: EventPredicate, share: Share): AskedPredicate {
    let shared = this.#byKey.get(predicate.key)
    if (shared === undefined)
      this.#byKey.set(predicate.key, (shared = new SharedPredicate(predicate)))
    if (shared.addUse(share)) this.#quota.charge(share, 1)
    return shared
  }

  /** Once for each time that it was acquired. */
  release({ key }: EventPredicate, share: Share): void {
    const shared = this.#byKey.get(key)!
    if (shared.removeUse(share)) this.#quota.charge(share, -1)
    if (!shared.isUsed) this.#byKey.delete(key)
  }
}

/** One that remembers what it has said. */
export interface AskedPredicate extends EventPredicate {
  /** The same, with a memory of its own, for those who are behind. Absent: it remembers nothing. */
  readonly past?: EventPredicate
}

class SharedPredicate extends UsedByShares implements AskedPredicate {
  readonly key: string
  readonly past: EventPredicate
  readonly #predicate: EventPredicate

  constructor(predicate: EventPredicate) {
    super()
    this.key = predicate.key
    this.past = new RememberingPredicate(predicate)
    this.#predicate = new RememberingPredicate(predicate)
  }

  matches(event: PublishedEvent): boolean {
    return this.#predicate.matches(event)
  }
}

/** Remembers what it said of the last event: it is asked about one after another. What has thrown is asked again. */
export class RememberingPredicate implements EventPredicate {
  readonly key: string
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
