import type { IndexEntry, TopicFilter } from './topics.ts'

/**
 * Audiences that want the same topics, and differ in rights, conditions or form: one look at the index finds them all, and
 * who gets other rights moves between them without another one.
 */
export class AudienceGroup<A> {
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
    this.audiences.push(audience)
  }

  /** `true`: it was the last one. */
  remove(audience: A): boolean {
    const last = this.audiences.pop()!
    if (last !== audience) this.audiences[this.audiences.indexOf(audience)] = last
    return this.audiences.length === 0
  }
}
