import type { Gap } from '../hub/encoding.ts'
import type { Position, PublishedEvent } from '../hub/event.ts'
import type { EventSink } from '../hub/event-sink.ts'
import type { Hub, SubscribeRequest } from '../hub/hub.ts'
import type { Rights } from '../hub/rights.ts'

/** A part of what was published, oldest first. */
export interface PastEvents {
  readonly events: readonly PublishedEvent[]
  /** Everything up to here has come. */
  readonly reached: Position
  /** Something before these events is gone. */
  readonly hasGap: boolean
}

/** Every event, private ones included: whoever delivers them asks for each consumer what it may see. */
export function everything(
  kind: string,
): Pick<SubscribeRequest, 'wants' | 'rights' | 'whenBehind' | 'door'> {
  const rights: Rights = { key: kind, seesNothing: false, maySee: () => true }
  const wants = [{ topics: [], privateOnly: false }]
  return { wants, rights, whenBehind: 'catch-up-with-gaps', door: kind }
}

/**
 * Everything after one position and up to another, which is at most the head, at the pace at which it is asked for. `kind`:
 * whose it is, as the hub counts subscribers.
 * @throws {Error} it cannot be read now.
 */
export async function* pastEvents(
  hub: Pick<Hub, 'subscribe'>,
  kind: string,
  from: Position,
  to: Position,
): AsyncGenerator<PastEvents, void> {
  const pages = new Pages()
  const subscription = hub.subscribe({
    ...everything(kind),
    from,
    to: { events: pages },
    bounds: {},
  })
  subscription.finishAt(to)
  try {
    for (;;) {
      const page = await pages.next()
      yield page ?? { events: [], reached: to, hasGap: pages.hasGap }
      if (page === null) return
      subscription.drained()
    }
  } finally {
    subscription.close()
  }
}

/** One at a time: the next one comes when the one before has been worked off. */
class Pages implements EventSink {
  readonly queuedBytes = 0
  readonly takenBytes = 0
  /** Since the last page. */
  hasGap = false
  #page: PastEvents | null = null
  #end: string | null = null
  #wake: () => void = () => {}

  /** `null`: there are no more. */
  async next(): Promise<PastEvents | null> {
    while (this.#page === null) {
      if (this.#end === 'finished') return null
      if (this.#end !== null) throw new Error(`reading what was published ended: ${this.#end}`)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    const page = this.#page
    this.#page = null
    return page
  }

  take(events: readonly PublishedEvent[]): boolean {
    this.#page = { events, reached: events.at(-1)!.position, hasGap: this.hasGap }
    this.hasGap = false
    this.#wake()
    return false
  }

  gap(_gap: Gap): void {
    this.hasGap = true
  }

  end(reason: string): void {
    this.#end = reason
    this.#wake()
  }

  destroy(): void {
    this.end('internal')
  }
}
