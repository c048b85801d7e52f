import { LimitExceededError } from '../../publication/errors.ts'
import type { Position, PublishedEvent } from '../../hub/event.ts'
import type { EventPredicate } from '../../hub/predicate.ts'
import { compileGlob } from './glob.ts'
import { topicOfPath } from './topic.ts'

/** The globs of all WebSockets, each compiled once and as a predicate of the hub. */
export class SocketGlobs {
  readonly #globsMax: number
  readonly #shared = new Map<string, { readonly predicate: EventPredicate; users: number }>()
  #position: Position | null = null
  /** Of the event at that position. */
  #topic: string | null = null

  constructor(globsMax: number) {
    this.#globsMax = globsMax
  }

  /** @throws {LimitExceededError | MalformedError} */
  acquire(glob: string): EventPredicate {
    let shared = this.#shared.get(glob)
    if (shared === undefined) {
      if (this.#shared.size >= this.#globsMax)
        throw new LimitExceededError(
          `the WebSockets have ${this.#globsMax} different globs (protocols.lonelyps.globs)`,
        )
      const matches = compileGlob(glob)
      const predicate: EventPredicate = {
        key: `lonelyps glob ${glob}`,
        matches: (event) => {
          const topic = this.#topicOf(event)
          return topic !== null && matches(topic)
        },
      }
      this.#shared.set(glob, (shared = { predicate, users: 0 }))
    }
    shared.users++
    return shared.predicate
  }

  /** Once for each time that it was acquired. The same predicate as then. */
  release(glob: string): EventPredicate {
    const shared = this.#shared.get(glob)!
    if (--shared.users === 0) this.#shared.delete(glob)
    return shared.predicate
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
