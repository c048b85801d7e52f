import type { Audience, Batch } from './audience.ts'
import type { Gap } from './encoding.ts'
import type { EventSink } from './event-sink.ts'
import {
  Subscription,
  type DueNow,
  type EndOfSubscription,
  type HubInternals,
  type Manner,
} from './subscription.ts'

/** One whose door makes the bytes for each subscriber by itself. */
export class EventSubscription extends Subscription {
  readonly directSink = null
  readonly wantsParts = true
  protected readonly hasNoQueue = true
  protected readonly outlet: EventSink

  constructor(hub: HubInternals, audience: Audience, events: EventSink, manner: Manner) {
    super(hub, audience, manner)
    this.outlet = events
  }

  /** Who is full has its place in the log, and no queue. */
  deliver(batch: Batch): void {
    if (this.isFull) return this.fallBehind(batch.before)
    if (this.bounds === null) this.handOver(batch)
    else this.handWithinBounds(batch, batch.before)
  }

  protected handOver({ events }: DueNow): void {
    if (!this.outlet.take(events)) this.isFull = true
  }

  protected handGap(gap: Gap): void {
    this.outlet.gap(gap)
  }

  protected giveSignOfLife(): void {
    this.outlet.keepAlive?.()
  }

  protected sayEnd({ reason, cursor, hangUp }: EndOfSubscription): void {
    hangUp()
    this.outlet.end(reason, cursor())
  }
}
