import type { PublishedEvent } from '../hub/event.ts'
import type { Variables } from './cel.ts'
import { parseExact } from './exact-json.ts'

/**
 * What expressions see of an event: the members of the payload, all of them again in `event`, and what the server writes
 * into every event, under the names that it has there. Those of the payload stand back.
 */
export class EventVariables {
  #event: PublishedEvent | null = null
  #variables: Variables = {}

  /** Made once for all expressions that are asked about an event one after the other. */
  of(event: PublishedEvent): Variables {
    if (event !== this.#event) {
      this.#variables = variablesOf(event)
      this.#event = event
    }
    return this.#variables
  }
}

function variablesOf(event: PublishedEvent): Variables {
  const payload = parseExact(event.payload.text) as object
  return {
    __proto__: null, // else `toString` would be there
    ...payload,
    event: payload,
    pubsub_topics: event.topics,
    pubsub_path: event.path,
    pubsub_timestamp: event.publishedAtMs / 1_000,
    pubsub_cursor: event.cursor,
    pubsub_private: event.isPrivate,
  }
}
