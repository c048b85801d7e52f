import { hash, randomBytes } from 'node:crypto'
import type { Position, PublishedEvent } from '../../hub/event.ts'
import { bytesOf } from '../../publication/payload.ts'
import { Delivery } from './delivery.ts'
import { topicOfPath } from './topic.ts'

/**
 * What was made of the newest events: their bytes, hash and frames, so that many subscribers of one share them. It goes by the
 * position, as an event that comes from the log again is another object.
 */
export class RecentDeliveries {
  readonly #byPosition = new Map<Position, Delivery>()
  #bytes = 0

  of(event: PublishedEvent): Delivery {
    const present = this.#byPosition.get(event.position)
    if (present !== undefined) return present
    const message = bytesOf(event.payload)
    const sha512 = hash('sha512', message, 'buffer')
    const topic = topicOfPath(event.path).bytes
    const delivery = new Delivery(topic, message, sha512, randomBytes(IDENTIFIER_BYTES))
    this.#byPosition.set(event.position, delivery)
    this.#bytes += sizeOf(delivery)
    // The newest stays, however great: others come for it in this turn.
    for (const [position, oldest] of this.#byPosition) {
      if (this.#bytes <= BYTES_MAX || oldest === delivery) break
      this.#byPosition.delete(position)
      this.#bytes -= sizeOf(oldest)
    }
    return delivery
  }
}

/** With a frame of it. */
function sizeOf({ topic, message }: Delivery): number {
  return 2 * (topic.length + message.length) + OVERHEAD_BYTES
}

/** The length of what a connection tells its deliveries apart by. */
const IDENTIFIER_BYTES = 8

const BYTES_MAX = 4 * 1024 * 1024
const OVERHEAD_BYTES = 1_024
