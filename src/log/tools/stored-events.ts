import { createHash } from 'node:crypto'
import type { Position, PublishedEvent } from '../../hub/event.ts'
import type { EventLog } from '../../hub/event-log.ts'
import { contentsOf } from '../../publication/envelope.ts'
import type { PastEvent } from './past-event.ts'

type ReadableLog = Pick<EventLog, 'head' | 'read' | 'positionAt' | 'status'>

/** What an event says, without its time and place. One without envelope and tags has the fingerprint it always had. */
export function fingerprintOf(event: Omit<PastEvent, 'publishedAtMs'>): string {
  const { topics, isPrivate, path, payload, envelope, tags } = event
  const hash = createHash('sha256').update(
    JSON.stringify([topics, isPrivate, path, payload.type, payload.text]),
  )
  if (envelope !== undefined) {
    const { door, bytes } = contentsOf(envelope)
    hash.update(JSON.stringify([door, bytes.length])).update(bytes)
  }
  if (tags !== undefined) hash.update(JSON.stringify(tags))
  return hash.digest('base64url')
}

/** The events that a log holds at one moment, to be found by their times and words. */
export class StoredEvents {
  /** Times of the oldest and the newest, in ms since the Unix epoch; 0 where there is none. */
  readonly oldestMs: number
  readonly newestMs: number
  readonly #log: ReadableLog
  readonly #head: Position
  /** How many there are of each time and fingerprint, of the times that were looked at last. */
  #counts = new Map<string, number>()
  #fromMs = Infinity
  #toMs = -Infinity
  #after: Position | undefined

  static async before(log: ReadableLog): Promise<StoredEvents> {
    const { head } = log
    const first = await firstAfter(log, (log.status.oldest - 1) as Position)
    const last = await firstAfter(log, (head - 1) as Position)
    return new StoredEvents(log, head, first?.publishedAtMs ?? 0, last?.publishedAtMs ?? 0)
  }

  private constructor(log: ReadableLog, head: Position, oldestMs: number, newestMs: number) {
    this.#log = log
    this.#head = head
    this.oldestMs = oldestMs
    this.newestMs = newestMs
  }

  /** Whether there is one that was not taken before. */
  async take(publishedAtMs: number, fingerprint: string): Promise<boolean> {
    if (publishedAtMs < this.oldestMs || publishedAtMs > this.newestMs) return false
    if (publishedAtMs < this.#fromMs || publishedAtMs > this.#toMs) await this.#look(publishedAtMs)
    const key = `${publishedAtMs} ${fingerprint}`
    const count = this.#counts.get(key) ?? 0
    this.#counts.set(key, count - 1)
    return count > 0
  }

  /** Some pages from a time on, to the last event of the last time. */
  async #look(fromMs: number): Promise<void> {
    const after = await this.#log.positionAt(fromMs)
    if (after === this.#after && fromMs < this.#fromMs) {
      this.#fromMs = fromMs // nothing lies between
      return
    }
    this.#after = after
    this.#counts = new Map()
    this.#fromMs = fromMs
    this.#toMs = Infinity
    let lastMs = fromMs
    let isEnough = false
    const options = { until: this.#head, pageBytes: PAGE_BYTES }
    for await (const { events } of this.#log.read(after, options)) {
      for (const event of events) {
        if (isEnough && event.publishedAtMs > lastMs) {
          this.#toMs = lastMs
          return
        }
        lastMs = event.publishedAtMs
        const key = `${lastMs} ${fingerprintOf(event)}`
        this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
      }
      isEnough = this.#counts.size >= COUNTS_MIN
    }
  }
}

async function firstAfter(log: ReadableLog, after: Position): Promise<PublishedEvent | undefined> {
  for await (const { events } of log.read(after, { pageBytes: 1 }))
    if (events.length > 0) return events[0]
  return undefined
}

const PAGE_BYTES = 2 ** 18
const COUNTS_MIN = 2_000
