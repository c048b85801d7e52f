/** A user, or an address: whoever shall not have more than others. `undefined`: of nobody who is known. */
export type Share = string | undefined

/**
 * Something that is there once for all who want the same, and which shares use it how often. Mostly it is one share, and
 * many things of one share are open at a time, so that one takes no map.
 */
export abstract class UsedByShares {
  #share: Share
  /** How often that share uses it; 0: there is none in this place. */
  #uses = 0
  #others: Map<Share, number> | null = null

  get isUsed(): boolean {
    return this.#uses > 0 || this.#others !== null
  }

  usesBy(share: Share): number {
    if (this.#uses > 0 && this.#share === share) return this.#uses
    return this.#others?.get(share) ?? 0
  }

  /** `true`: it is the first use by this share. */
  addUse(share: Share): boolean {
    const uses = this.usesBy(share) + 1
    if (this.#uses === 0 ? uses === 1 : this.#share === share) {
      this.#share = share
      this.#uses = uses
    } else (this.#others ??= new Map()).set(share, uses)
    return uses === 1
  }

  /** `true`: it was the last use by this share. */
  removeUse(share: Share): boolean {
    const uses = this.usesBy(share) - 1
    if (this.#uses > 0 && this.#share === share) this.#uses = uses
    else if (uses > 0) this.#others!.set(share, uses)
    else {
      this.#others!.delete(share)
      if (this.#others!.size === 0) this.#others = null
    }
    return uses === 0
  }
}
