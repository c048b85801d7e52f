import { IdempotencyKeyReusedError } from '../hub/errors.ts'
import type { Once, Receipt } from '../hub/event-log.ts'

export interface ReceiptLimits extends KeyLimits {
  /** Spaces of keys that have limits of their own. */
  readonly keySpaces?: Readonly<Record<string, KeyLimits>>
}

export interface KeyLimits {
  /** How long a key is remembered; 24 hours unless said otherwise. */
  readonly keyWindowMs?: number
  /** Keys that are remembered: beyond them the oldest is forgotten; 100,000 unless said otherwise. */
  readonly keysMax?: number
}

/** What was stored under which key. */
export class Receipts {
  readonly #limits: ReceiptLimits
  readonly #now: () => number
  readonly #spaces = new Map<string, ReceiptsOfSpace>()

  constructor(limits: ReceiptLimits, now: () => number) {
    this.#limits = limits
    this.#now = now
  }

  /**
   * Stores by `append` what has not been stored under this key, or is not being. `forgotten`: keys of the same space that go in
   * exchange, for whoever keeps them elsewhere too.
   */
  once(once: Once, append: AppendKeyed): Promise<Receipt> {
    return this.#space(once).once(once, append)
  }

  /** One of an earlier run of the server. */
  add(once: Once, receipt: Receipt, expiresAtMs: number): void {
    this.#space(once).add(once, receipt, expiresAtMs)
  }

  #space({ space = '' }: Once): ReceiptsOfSpace {
    let receipts = this.#spaces.get(space)
    if (receipts === undefined) {
      const limits = this.#limits.keySpaces?.[space] ?? this.#limits
      this.#spaces.set(space, (receipts = new ReceiptsOfSpace(limits, this.#now)))
    }
    return receipts
  }
}

type AppendKeyed = (expiresAtMs: number, forgotten: readonly string[]) => Promise<Receipt>

/** In the order in which they are forgotten. */
class ReceiptsOfSpace {
  readonly #windowMs: number
  readonly #keysMax: number
  readonly #now: () => number
  readonly #known = new Map<string, Known>()

  constructor({ keyWindowMs = WINDOW_MS, keysMax = KEYS_MAX }: KeyLimits, now: () => number) {
    this.#windowMs = keyWindowMs
    this.#keysMax = keysMax
    this.#now = now
  }

  once({ key, fingerprint }: Once, append: AppendKeyed): Promise<Receipt> {
    this.#forgetExpired()
    const known = this.#known.get(key)
    if (known !== undefined)
      return known.fingerprint === fingerprint
        ? known.receipt
        : Promise.reject(new IdempotencyKeyReusedError())
    const forgotten = this.#forgetOldest()
    const expiresAtMs = this.#now() + this.#windowMs
    const receipt = append(expiresAtMs, forgotten)
    const own = { fingerprint, receipt, expiresAtMs }
    this.#known.set(key, own)
    receipt.catch(() => {
      if (this.#known.get(key) === own) this.#known.delete(key)
    })
    return receipt
  }

  add({ key, fingerprint }: Once, receipt: Receipt, expiresAtMs: number): void {
    this.#known.set(key, { fingerprint, receipt: Promise.resolve(receipt), expiresAtMs })
  }

  #forgetExpired(): void {
    const nowMs = this.#now()
    for (const [key, { expiresAtMs }] of this.#known) {
      if (expiresAtMs > nowMs) return
      this.#known.delete(key)
    }
  }

  /** Makes room for a new one. A repeated key needs none, and must not cost another its place. */
  #forgetOldest(): string[] {
    const forgotten: string[] = []
    for (const key of this.#known.keys()) {
      if (this.#known.size < this.#keysMax) break
      this.#known.delete(key)
      forgotten.push(key)
    }
    return forgotten
  }
}

interface Known {
  readonly fingerprint: string
  readonly receipt: Promise<Receipt>
  readonly expiresAtMs: number
}

const WINDOW_MS = 86_400_000
const KEYS_MAX = 100_000
