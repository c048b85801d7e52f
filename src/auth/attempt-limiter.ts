import { hash } from 'node:crypto'
import { addressBlock } from './address-block.ts'
import type { Clock } from './clock.ts'
import { FailureCounts, type FailureCount } from './failure-counts.ts'
import { nameKey } from './name.ts'
import { Turn, type Admission } from './turn.ts'

/** Who tries to prove something. */
export interface Claimant {
  /** `null`: unknown. */
  readonly address: string | null
  /** The name, or whatever stands for it. `null`: none was given. */
  readonly name: string | null
  /** Equal for equal credentials of one claimant, and tells nothing of them. Without it nobody knows who comes again. */
  readonly credentials?: string
}

/**
 * Slows those who guess. Failures are counted for an address (IPv6: a /64), for a name, and for a name at an address. A name
 * at an address that has failed a few times gets turns further and further apart; so does an address whose failures are
 * spread over names, with shorter waits, as many people may share it; a name that fails everywhere loses the tries that are
 * free elsewhere. Attempts made at the same time wait in turn; one that comes when the turns of `delayMsMax` are given away has
 * the last of them, so that whoever comes behind those who guess is judged in time, unless somebody has it who was put off before with
 * the same credentials: nobody keeps a right password out by ever new guesses. Whoever has not failed is not slowed by what others do at
 * other addresses, and who has logged in by that name at that address before is not slowed by other names there.
 * Held by `test/auth/attempt-limiter.test.ts`.
 */
export class AttemptLimiter {
  readonly #clock: Clock
  readonly #delayMsMax: number
  readonly #byAddress: FailureCounts
  readonly #byName: FailureCounts
  readonly #byPair: FailureCounts
  /** Names that have logged in, at their addresses; the one that came last is the last. */
  readonly #proven = new Set<string>()
  /** When credentials came that were not judged yet, the earliest first. */
  readonly #firstCameMs = new Map<string, number>()

  /** `delayMsMax` 0: nobody is slowed. */
  constructor(delayMsMax: number, clock: Clock) {
    this.#clock = clock
    this.#delayMsMax = delayMsMax
    this.#byAddress = new FailureCounts(clock)
    this.#byName = new FailureCounts(clock)
    this.#byPair = new FailureCounts(clock)
  }

  /** Resolves when its turn has come; at once, if there is none within `delayMsMax`. */
  async admit(claimant: Claimant): Promise<Admission> {
    const nowMs = this.#clock.now()
    let lanes = this.#lanesOf(claimant)
    const turnMs = Math.max(nowMs, ...lanes.map(({ count }) => count.nextTurnMs))
    const rank = turnMs > nowMs ? this.#rankOf(claimant, nowMs) : NEW
    if (turnMs - nowMs > this.#delayMsMax) return this.#judged(claimant, takeOver(lanes, rank))
    // Those that wait are counted as if they had failed already: else all that come before the first failure would be free.
    if (turnMs > nowMs) lanes = this.#lanesToWaitIn(claimant)
    for (const { count, delayMs } of lanes) {
      count.nextTurnMs = turnMs + delayMs
      count.waiting++
    }
    if (turnMs === nowMs) {
      for (const { count } of lanes) count.waiting--
      return { type: 'admitted', hasTurn: lanes.some(({ delayMs }) => delayMs > 0) }
    }
    const turn = new Turn(turnMs)
    for (const { count } of lanes) count.lastTurn = turn
    void this.#clock.sleep(turnMs - nowMs).then(() => {
      for (const { count } of lanes) {
        count.waiting--
        if (count.lastTurn === turn) count.lastTurn = null
      }
      return turn.come()
    })
    return this.#judged(claimant, turn.taken(rank))
  }

  /** Whether an attempt would have to wait now. */
  isSlowed(claimant: Claimant): boolean {
    const nowMs = this.#clock.now()
    return this.#lanesOf(claimant).some(({ count }) => count.nextTurnMs > nowMs)
  }

  failed({ address, name }: Claimant): void {
    if (this.#delayMsMax === 0) return
    const block = addressBlock(address)
    this.#byAddress.add(block)
    if (name !== null) {
      this.#byName.add(keptKey(name))
      this.#byPair.add(pairKey(block, name))
    }
    const nowMs = this.#clock.now()
    for (const { count, delayMs } of this.#lanesOf({ address, name }))
      count.nextTurnMs = Math.max(count.nextTurnMs, nowMs + delayMs)
  }

  /** What else has failed at its address still counts: whoever has one password may be guessing another. */
  succeeded({ address, name }: Claimant): void {
    if (this.#delayMsMax === 0 || name === null) return
    const pair = pairKey(addressBlock(address), name)
    this.#byPair.clear(pair)
    this.#proven.delete(pair)
    this.#proven.add(pair)
    if (this.#proven.size > PROVEN_MAX) this.#proven.delete(this.#proven.values().next().value!)
  }

  /** Failures at an address of late. */
  failuresAt(address: string | null): number {
    return this.#byAddress.get(addressBlock(address))?.failures ?? 0
  }

  /** Less goes first: when the same credentials came for the first time, if that was some time ago. */
  #rankOf({ credentials }: Claimant, nowMs: number): number {
    if (credentials === undefined) return NEW
    const cameMs = this.#firstCameMs.get(credentials)
    if (cameMs !== undefined) return nowMs - cameMs >= AGAIN_MS ? cameMs : NEW
    this.#firstCameMs.set(credentials, nowMs)
    if (this.#firstCameMs.size > REMEMBERED_MAX)
      this.#firstCameMs.delete(this.#firstCameMs.keys().next().value!)
    return NEW
  }

  async #judged(
    { credentials }: Claimant,
    given: Admission | Promise<Admission>,
  ): Promise<Admission> {
    const admission = await given
    if (admission.type === 'admitted' && credentials !== undefined)
      this.#firstCameMs.delete(credentials)
    return admission
  }

  /** The same, its name at its address always among them. */
  #lanesToWaitIn(claimant: Claimant): readonly Lane[] {
    const { address, name } = claimant
    if (name !== null) this.#byPair.keep(pairKey(addressBlock(address), name))
    return this.#lanesOf(claimant)
  }

  /** What an attempt has to wait for, with the time from one turn to the next. */
  #lanesOf({ address, name }: Claimant): readonly Lane[] {
    if (this.#byAddress.isEmpty) return []
    const block = addressBlock(address)
    const pair = name === null ? null : pairKey(block, name)
    const lanes: Lane[] = []
    const byPair = pair === null ? undefined : this.#byPair.get(pair)
    if (byPair !== undefined) {
      const isAttacked = (this.#byName.get(keptKey(name!))?.failures ?? 0) >= ATTACKED_NAME_FAILURES
      const free = isAttacked ? 1 : FREE_FAILURES
      const delayMs = growing(
        FIRST_DELAY_MS,
        byPair.failures + byPair.waiting - free,
        this.#delayMsMax,
      )
      lanes.push({ count: byPair, delayMs })
    }
    const byAddress = this.#byAddress.get(block)
    if (byAddress !== undefined && !(pair !== null && this.#proven.has(pair))) {
      const steps = byAddress.failures + byAddress.waiting - FREE_FAILURES_OF_ADDRESS
      const delayMs = growing(FIRST_DELAY_OF_ADDRESS_MS, steps, this.#delayMsMax / 4)
      lanes.push({ count: byAddress, delayMs })
    }
    return lanes
  }
}

/** The turn that was given last, if it is late enough for all that has to be waited for. */
function takeOver(lanes: readonly Lane[], rank: number): Admission | Promise<Admission> {
  const [slowest, ...others] = lanes.toSorted((a, b) => b.count.nextTurnMs - a.count.nextTurnMs)
  const turn = slowest?.count.lastTurn ?? null
  if (turn === null) return { type: 'postponed' }
  if (turn.rank < rank) return { type: 'postponed' }
  const behind = others.filter(({ count }) => count.lastTurn !== turn)
  if (behind.some(({ count }) => count.nextTurnMs > turn.atMs)) return { type: 'postponed' }
  for (const { count, delayMs } of behind) count.nextTurnMs = turn.atMs + delayMs
  return turn.taken(rank)
}

interface Lane {
  readonly count: FailureCount
  readonly delayMs: number
}

/** Twice as long with each step. */
function growing(firstMs: number, steps: number, maxMs: number): number {
  return steps < 0 ? 0 : Math.min(maxMs, firstMs * 2 ** steps)
}

/** Everybody mistypes. */
const FREE_FAILURES = 3
const FIRST_DELAY_MS = 500

/** Many people may share an address. */
const FREE_FAILURES_OF_ADDRESS = 10
const FIRST_DELAY_OF_ADDRESS_MS = 125

/** More than its owner would have at all addresses together. */
const ATTACKED_NAME_FAILURES = 20

/** The rank of credentials that nobody has seen before. */
const NEW = Infinity

/** Whoever sends the same at once again does not come again: a client does so that opens many streams. */
const AGAIN_MS = 1_000

/** Some 150 bytes each: those of 8 s at 500 guesses a second. */
const REMEMBERED_MAX = 4_096

/** Some 100 bytes each. */
const PROVEN_MAX = 10_000

function pairKey(block: string, name: string): string {
  return `${block} ${keptKey(name)}`
}

/** Nobody's name is long, so of long ones only a digest is kept. */
function keptKey(name: string): string {
  const key = nameKey(name)
  return key.length > NAME_KEPT_MAX ? hash('sha256', key, 'base64') : key
}

/** In UTF-16 units. */
const NAME_KEPT_MAX = 64
