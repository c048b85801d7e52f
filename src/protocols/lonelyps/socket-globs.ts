import { LimitExceededError } from '../../publication/errors.ts'
import type { Position, PublishedEvent } from '../../hub/event.ts'
import type { EventPredicate } from '../../hub/predicate.ts'
import { Quota } from '../../hub/quota.ts'
import { UsedByShares, type Share } from '../../hub/used-by-shares.ts'
import { compileGlob } from './glob.ts'
import type { LonelypsLimits } from './limits.ts'
import { topicOfPath } from './topic.ts'

/** The globs of all WebSockets, each compiled once and as a predicate of the hub. */
export class SocketGlobs {
  readonly #globsMax: number
  readonly #quota: Quota
  readonly #shared = new Map<string, SharedGlob>()
  #position: Position | null = null
  /** The topic of the event at that position. */
  #topic: string | null = null

  constructor({ globsMax, globsPerAddressMax }: Limits) {
    this.#globsMax = globsMax
    const names = {
      things: 'different globs',
      max: 'protocols.lonelyps.globs',
      perShareMax: 'protocols.lonelyps.globs_per_address',
    }
    this.#quota = new Quota({ max: globsMax, perShareMax: globsPerAddressMax, names })
  }

  /** @throws {LimitExceededError | ShareExceededError | MalformedError} */
  acquire(glob: string, share: Share): EventPredicate {
    let shared = this.#shared.get(glob)
    const added = shared === undefined || shared.usesBy(share) === 0 ? 1 : 0
    const created = shared === undefined ? 1 : 0
    const free = this.#globsMax - this.#shared.size
    if (created > free)
      throw new LimitExceededError(
        `the WebSockets have ${this.#globsMax} different globs (protocols.lonelyps.globs)`,
      )
    this.#quota.admit(share, { added, created, free })
    if (shared === undefined)
      this.#shared.set(glob, (shared = new SharedGlob(this.#predicateOf(glob))))
    if (shared.addUse(share)) this.#quota.charge(share, 1)
    return shared.predicate
  }

  /** Once for each time that it was acquired. The same predicate as then. */
  release(glob: string, share: Share): EventPredicate {
    const shared = this.#shared.get(glob)!
    if (shared.removeUse(share)) this.#quota.charge(share, -1)
    if (!shared.isUsed) this.#shared.delete(glob)
    return shared.predicate
  }

  /** @throws {MalformedError} */
  #predicateOf(glob: string): EventPredicate {
    const matches = compileGlob(glob)
    return {
      key: `lonelyps glob ${glob}`,
      matches: (event) => {
        const topic = this.#topicOf(event)
        return topic !== null && matches(topic)
      },
    }
  }

  /** Globs are asked about one event after the other. */
  #topicOf({ position, path }: PublishedEvent): string | null {
    if (position !== this.#position) {
      this.#topic = topicOfPath(path).text
      this.#position = position
    }
    return this.#topic
  }
}

type Limits = Pick<LonelypsLimits, 'globsMax' | 'globsPerAddressMax'>

class SharedGlob extends UsedByShares {
  readonly predicate: EventPredicate

  constructor(predicate: EventPredicate) {
    super()
    this.predicate = predicate
  }
}
