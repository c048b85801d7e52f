import { createHmac, randomBytes } from 'node:crypto'
import type { LogLevel } from '../ops/logger.ts'
import { SeldomReport } from '../ops/seldom-report.ts'
import type { AttemptLimiter, Claimant } from './attempt-limiter.ts'
import type { Clock } from './clock.ts'
import type { Authenticator, LoginResult } from './identity.ts'

export interface LoginAttempt {
  /** `null`: unknown. */
  readonly address: string | null
  readonly name: string
  readonly password: string
}

export interface LoginGateOptions {
  readonly limiter: AttemptLimiter
  /** A refusal is told so long after judging began, whatever it was refused for. */
  readonly refusalMs: number
  readonly clock: Clock
  readonly logger: (level: LogLevel, message: string) => void
}

/**
 * The way to the authenticator for all who log in: guessing is slow here, counted and logged, and how long a refusal takes
 * does not tell whether the name exists. Passwords reach no log. Held by `test/auth/login-gate.test.ts`.
 */
export class LoginGate {
  /** Log-ins that were refused since the start. */
  refusedCount = 0
  /** Log-ins that were not judged since the start. */
  postponedCount = 0
  readonly #authenticator: Authenticator
  readonly #options: LoginGateOptions
  readonly #refusals: SeldomReport
  /** Equal credentials from equal addresses are one guess, and whoever opens many streams at once has one answer. */
  readonly #waiting = new Map<string, Promise<LoginResult>>()
  readonly #keySecret = randomBytes(32)
  #heldCount = 0

  constructor(authenticator: Authenticator, options: LoginGateOptions) {
    this.#authenticator = authenticator
    this.#options = options
    this.#refusals = new SeldomReport(options.logger, 'warn')
  }

  /** Never rejects. Waits for `limits.login_delay` at most before the authenticator is asked. */
  login(attempt: LoginAttempt): Promise<LoginResult> {
    const { address, name, password } = attempt
    const judge = () =>
      this.#authenticator.authenticate({ type: 'password', name, password }, address)
    if (!this.#options.limiter.isSlowed(attempt)) return this.#decide(attempt, judge)
    const key = this.#keyOf(attempt)
    const waiting = this.#waiting.get(key)
    if (waiting !== undefined) return waiting
    const claimant = { address, name, credentials: key }
    const decided = this.#decide(claimant, judge).finally(() => this.#waiting.delete(key))
    this.#waiting.set(key, decided)
    return decided
  }

  /** Credentials that are none: counted, and answered as wrong ones are. */
  refuse(address: string | null): Promise<LoginResult> {
    return this.#decide({ address, name: null }, async () => ({ type: 'refused' }))
  }

  async #decide(claimant: Claimant, judge: () => Promise<LoginResult>): Promise<LoginResult> {
    const { limiter, clock, refusalMs } = this.#options
    const admission = await limiter.admit(claimant)
    const startMs = clock.now()
    if (admission.type === 'postponed') return this.#postpone()
    const result = await judge()
    if (result.type === 'unavailable') return result
    if (result.type === 'postponed') return this.#postpone()
    // Those that were judged beside it have failed meanwhile: else as many guesses were free as fit into one moment.
    const isTooMany = !admission.hasTurn && limiter.isSlowed(claimant)
    if (result.type === 'refused') this.#countRefusal(claimant, result.reason)
    if (isTooMany) return this.#postpone()
    if (result.type === 'refused') await clock.sleep(Math.max(0, startMs + refusalMs - clock.now()))
    else limiter.succeeded(claimant)
    return result
  }

  #countRefusal(claimant: Claimant, reason: string | undefined): void {
    const { limiter } = this.#options
    limiter.failed(claimant)
    this.refusedCount++
    const { address, name } = claimant
    const who = name === null ? 'a login that cannot be read' : `a login as ${shown(name)}`
    const failures = limiter.failuresAt(address)
    const lately = failures > 1 ? `, the ${failures}th failure there lately` : ''
    const why = reason === undefined ? '' : ` (LDAP: ${reason})`
    this.#refusals.add(`${who} from ${address ?? 'an unknown address'} was refused${why}${lately}`)
  }

  /** Nothing was judged, so that the time says nothing: it is held only to slow whoever does not wait by himself. */
  async #postpone(): Promise<LoginResult> {
    this.postponedCount++
    if (this.#heldCount < HELD_MAX) {
      this.#heldCount++
      await this.#options.clock.sleep(this.#options.refusalMs)
      this.#heldCount--
    }
    return { type: 'postponed' }
  }

  /** No password stays in memory. */
  #keyOf({ address, name, password }: LoginAttempt): string {
    const text = JSON.stringify([address, name, password])
    return createHmac('sha256', this.#keySecret).update(text).digest('base64')
  }
}

/** Requests that wait for nothing but their refusal: those of one moment are answered in one turn of the event loop. */
const HELD_MAX = 100

/** `printable` of the logger escapes what is left. */
function shown(name: string): string {
  return JSON.stringify(name.length > SHOWN_MAX ? `${name.slice(0, SHOWN_MAX)}…` : name)
}

/** In UTF-16 units. */
const SHOWN_MAX = 64
