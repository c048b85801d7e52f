import type { IndexEntry, TopicFilter } from './topics.ts'

/** Its place in its group; kept for the group, which alone changes it. */
export interface Placed {
  place: number
}

/**
 * Audiences that want the same topics, and differ in rights, conditions or form: one look at the index finds them all, and
 * who gets other rights moves between them without another one.
 */
export class AudienceGroup<A extends Placed> {
  /** Equal for equal topics. */
  readonly key: string
  /** What the index keeps of it. */
  readonly entry: IndexEntry
  readonly audiences: A[] = []

  constructor(key: string, index: (group: AudienceGroup<A>) => IndexEntry) {
    this.key = key
    this.entry = index(this)
  }

  /** Made anew each time: as kept lists they would take more memory than the index. */
  get filters(): TopicFilter[] {
    return this.entry.filters()
  }

  add(audience: A): void {
    audience.place = this.audiences.length
    this.audiences.push(audience)
  }

  /** `true`: none is left. Who goes through them from last to first misses none when the one that it is at goes. */
  remove(audience: A): boolean {
    const last = this.audiences.pop()!
    if (last !== audience) {
      this.audiences[audience.place] = last
      last.place = audience.place
    }
    return this.audiences.length === 0
  }
}
