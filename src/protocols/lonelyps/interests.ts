import { compileGlob, type CompiledGlob } from './glob.ts'
import type { Topic } from './topic.ts'

/** What a subscription of lonelyps is about: one topic, or all that a glob matches. */
export type Interest =
  | { readonly type: 'exact'; readonly topic: Buffer }
  | { readonly type: 'glob'; readonly glob: string }

/** Equal for equal interests. */
export function interestKey(interest: Interest): string {
  return interest.type === 'exact' ? `=${interest.topic.toString('latin1')}` : `*${interest.glob}`
}

/** Who is interested in what. A glob is asked once about an event, however many share it. */
export class Interests<T> {
  readonly #exact = new Map<string, Set<T>>()
  readonly #globs = new Map<string, { readonly matches: CompiledGlob; readonly owners: Set<T> }>()

  get globCount(): number {
    return this.#globs.size
  }

  /** Somebody has it. */
  has(interest: Interest): boolean {
    return interest.type === 'exact'
      ? this.#exact.has(interest.topic.toString('latin1'))
      : this.#globs.has(interest.glob)
  }

  add(interest: Interest, owner: T): void {
    if (interest.type === 'exact') {
      const key = interest.topic.toString('latin1')
      const owners = this.#exact.get(key)
      if (owners === undefined) this.#exact.set(key, new Set([owner]))
      else owners.add(owner)
      return
    }
    const shared = this.#globs.get(interest.glob)
    if (shared !== undefined) shared.owners.add(owner)
    else
      this.#globs.set(interest.glob, {
        matches: compileGlob(interest.glob),
        owners: new Set([owner]),
      })
  }

  remove(interest: Interest, owner: T): void {
    if (interest.type === 'exact') {
      const key = interest.topic.toString('latin1')
      const owners = this.#exact.get(key)
      if (owners?.delete(owner) === true && owners.size === 0) this.#exact.delete(key)
      return
    }
    const shared = this.#globs.get(interest.glob)
    if (shared?.owners.delete(owner) === true && shared.owners.size === 0)
      this.#globs.delete(interest.glob)
  }

  /** Whether a glob that somebody has matches. */
  globMatches(glob: string, topic: string): boolean {
    return this.#globs.get(glob)?.matches(topic) === true
  }

  /**
   * Sets of owners, exact ones first. An owner is in each whose interest matches. `null`: a glob was asked, which may have taken some
   * ms, so that whoever asks may stop there for a while. It is about the interests that there were at the beginning.
   */
  *matching({ bytes, text }: Topic): Generator<ReadonlySet<T> | null, void> {
    const exact = this.#exact.get(bytes.toString('latin1'))
    const globs = text === null ? [] : [...this.#globs.values()]
    if (exact !== undefined) yield exact
    for (const { matches, owners } of globs) {
      if (owners.size > 0 && matches(text!)) yield owners
      yield null
    }
  }
}
