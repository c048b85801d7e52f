import { ANONYMOUS, type Identity, type Login } from './identity.ts'

/** A login whose identity its authenticator changes while it is open. Once `ANONYMOUS`, it stays so. */
export class LiveLogin implements Login {
  #identity: Identity
  readonly #listeners = new Set<{ readonly call: (identity: Identity) => void }>()
  readonly #onWatched: ((isWatched: boolean) => void) | undefined

  /** `onWatched` is told when the first listener comes and when the last one goes. */
  constructor(identity: Identity, onWatched?: (isWatched: boolean) => void) {
    this.#identity = identity
    this.#onWatched = onWatched
  }

  get identity(): Identity {
    return this.#identity
  }

  onChange(listener: (identity: Identity) => void): Disposable {
    const entry = { call: listener }
    if (this.#identity !== ANONYMOUS) {
      this.#listeners.add(entry)
      if (this.#listeners.size === 1) this.#onWatched?.(true)
    }
    return {
      [Symbol.dispose]: () => {
        if (this.#listeners.delete(entry) && this.#listeners.size === 0) this.#onWatched?.(false)
      },
    }
  }

  /** Listeners hear of it only if something is different. */
  change(identity: Identity): void {
    if (this.#identity === ANONYMOUS || isSame(this.#identity, identity)) return
    this.#identity = identity
    const listeners = [...this.#listeners]
    if (identity === ANONYMOUS) this.#listeners.clear()
    for (const listener of listeners) listener.call(identity)
  }
}

function isSame(a: Identity, b: Identity): boolean {
  return (
    a.name === b.name &&
    a.rights.key === b.rights.key &&
    a.secureTopics.symmetricDifference(b.secureTopics).size === 0
  )
}
