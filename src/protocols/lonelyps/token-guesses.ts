import { hash } from 'node:crypto'
import type { AttemptLimiter, Claimant } from '../../auth/attempt-limiter.ts'
import type { Verdict, Verifier } from './authorization.ts'

/** Says whose an authorization is, as `Verifier.verify` does. */
export type Judge = (...about: Parameters<Verifier['verify']>) => Verdict

/**
 * Slows whoever guesses tokens, by address, as the log-ins of HTTP are slowed and together with them. A token that was right
 * at its address is not slowed by wrong ones there. An hmac is made with 64 random bytes, which nobody guesses, so these are
 * not counted: a client whose clock is wrong would slow all others of its address.
 */
export class TokenGuesses {
  readonly #limiter: AttemptLimiter
  readonly #verifier: Verifier

  constructor(limiter: AttemptLimiter, verifier: Verifier) {
    this.#limiter = limiter
    this.#verifier = verifier
  }

  /**
   * Waits for the turn of somebody who may be guessing. `authorization` `null`: not known yet, or none. Resolves with `null`
   * if the turn would come too late.
   */
  async admit(address: string | null, authorization: string | null): Promise<Judge | null> {
    const admission = await this.#limiter.admit(claimantOf(address, authorization))
    if (admission.type === 'postponed') return null
    return (given, message, tracing) => {
      const verdict = this.#verifier.verify(given, message, tracing)
      if (!isToken(given)) return verdict
      const claimant = claimantOf(address, given)
      // Others that were admitted with it have failed meanwhile.
      const isTooMany = !admission.hasTurn && this.#limiter.isSlowed(claimant)
      if (verdict.type === 'forbidden') this.#limiter.failed(claimant)
      if (isTooMany) return { type: 'unavailable' }
      if (verdict.type === 'ok') this.#limiter.succeeded(claimant)
      return verdict
    }
  }
}

function isToken(authorization: string | null): authorization is string {
  return authorization !== null && !authorization.startsWith('X-HMAC')
}

/** Told apart by the token, of which only a digest is kept. */
function claimantOf(address: string | null, authorization: string | null): Claimant {
  return { address, name: isToken(authorization) ? hash('sha256', authorization, 'base64') : null }
}
