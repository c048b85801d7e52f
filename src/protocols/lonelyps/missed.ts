import { inTurns } from '../../consumers/in-turns.ts'
import { beginWork } from '../../ops/current-work.ts'
import type { StateChange, StateStore } from '../../hub/state-store.ts'
import {
  rowKey,
  type StoredSubscription,
  type StoredSubscriptions,
} from './stored-subscriptions.ts'

export interface MissedOptions {
  readonly state: StateStore
  readonly rows: StoredSubscriptions
  /** How long one is tried, in ms. */
  readonly forMs: number
  /** The time of the log so long ago: the clock on the wall may leap, and a monotonic one does not outlive the process. */
  readonly timeAgo: (ms: number) => number
  /** One second of its delays, in ms: they may be shorter than the reference's. */
  readonly secondMs?: number | undefined
  /** Sends one; resolves with whether it was confirmed. Never rejects. */
  readonly send: (row: StoredSubscription, topic: Buffer) => Promise<boolean>
}

/**
 * What receivers have to be told that may have lost something: one notice for each subscription, with its newest topic,
 * tried with growing delay until it is confirmed. Durable.
 */
export class Missed {
  readonly #options: MissedOptions
  readonly #pending = new Map<string, Notice>()
  readonly #timer: NodeJS.Timeout
  readonly #secondMs: number
  /** Those that are being sent, or wait to be. */
  #underWay = 0
  #isSending = false
  #isClosed = false

  static async load(options: MissedOptions): Promise<Missed> {
    const missed = new Missed(options)
    const rows = new Map<string, StoredSubscription>()
    for (const url of options.rows.urls)
      for (const row of options.rows.of(url)) rows.set(rowKey(row), row)
    for await (const { key, value } of options.state.entries(SPACE)) {
      const row = rows.get(key)
      if (row === undefined) continue
      const { topic, attempt, sinceMs } = JSON.parse(Buffer.from(value).toString('utf8')) as Kept
      missed.#pending.set(key, {
        row,
        topic: Buffer.from(topic, 'base64url'),
        attempt,
        sinceMs,
        dueMs: options.timeAgo(0) + missed.#delayMs(attempt),
        isUnderWay: false,
        isKept: true,
      })
    }
    return missed
  }

  private constructor(options: MissedOptions) {
    this.#options = options
    this.#secondMs = options.secondMs ?? 1_000
    this.#timer = setInterval(() => void this.#sendDue(), this.#secondMs / 2).unref()
  }

  /** Something may be missing there: told soon. A later loss begins anew, but puts off nothing that is about to be told. */
  add(row: StoredSubscription, topic: Buffer): void {
    if (row.recovery === null || this.#isClosed) return
    const before = this.#pending.get(rowKey(row))
    const isFresh = before !== undefined && before.attempt === 0 && !before.isUnderWay
    if (isFresh && before.row.since === row.since && before.topic.equals(topic)) return
    const nowMs = this.#options.timeAgo(0)
    const notice: Notice = {
      row,
      topic,
      attempt: 0,
      sinceMs: nowMs,
      dueMs: isFresh ? before.dueMs : nowMs + this.#delayMs(0),
      isUnderWay: false,
      isKept: false,
    }
    this.#pending.set(rowKey(row), notice)
    void this.#keep(notice)
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#timer)
  }

  /** There may be a hundred thousand: as many at a time as a turn allows, and no more under way than are sent soon. */
  async #sendDue(): Promise<void> {
    if (this.#isSending) return
    this.#isSending = true
    await inTurns(this.#allDue())
    this.#isSending = false
  }

  *#allDue(): Generator<void, void> {
    const nowMs = this.#options.timeAgo(0)
    let looked = 0
    // One that is sent goes behind all others, so that whoever does not answer is not asked first again and again.
    for (const [key, notice] of this.#pending) {
      if (this.#isClosed) return
      if (++looked % LOOKED_AT_ONCE === 0) {
        yield
        // Meanwhile it may have been confirmed, or a later loss may stand in its place.
        if (this.#isClosed || this.#pending.get(key) !== notice) continue
      }
      if (notice.isUnderWay) continue
      if (notice.dueMs > nowMs) {
        if (!notice.isKept) void this.#keep(notice)
      } else if (this.#underWay < UNDER_WAY_MAX) {
        this.#pending.delete(key)
        this.#pending.set(key, notice)
        void this.#send(notice)
        yield
      }
    }
  }

  async #send(notice: Notice): Promise<void> {
    const { rows, send, forMs, timeAgo } = this.#options
    const row = rows.current(notice.row)
    if (row === null || row.recovery === null) return this.#forget(notice)
    notice.isUnderWay = true
    this.#underWay++
    beginWork('MISSED of lonelyps')
    const isConfirmed = await send(row, notice.topic)
    this.#underWay--
    notice.isUnderWay = false
    if (this.#isClosed || this.#pending.get(rowKey(notice.row)) !== notice) return
    if (isConfirmed || notice.sinceMs < timeAgo(forMs)) return this.#forget(notice)
    notice.attempt++
    notice.dueMs = timeAgo(0) + this.#delayMs(notice.attempt)
    await this.#keep(notice)
  }

  async #forget({ row }: Notice): Promise<void> {
    this.#pending.delete(rowKey(row))
    await this.#apply({ space: SPACE, key: rowKey(row), value: null })
  }

  /** Without a disk it is still known here, and kept later; the log says itself what is wrong with it. */
  async #keep(notice: Notice): Promise<void> {
    const { row, topic, attempt, sinceMs } = notice
    const kept: Kept = { topic: topic.toString('base64url'), attempt, sinceMs }
    const value = Buffer.from(JSON.stringify(kept))
    notice.isKept = true
    notice.isKept = await this.#apply({ space: SPACE, key: rowKey(row), value })
  }

  /** What the reference's settings come to: 2, 3, 5, 9 … 1,025 s, and up to 2 more so that not all come at once. */
  #delayMs(attempt: number): number {
    return (2 ** Math.min(attempt, 10) + 1 + Math.random() * 2) * this.#secondMs
  }

  /** Resolves with whether it is stored. */
  async #apply(change: StateChange): Promise<boolean> {
    try {
      await this.#options.state.apply([change])
      return true
    } catch {
      return false
    }
  }
}

interface Notice {
  readonly row: StoredSubscription
  readonly topic: Buffer
  readonly sinceMs: number
  attempt: number
  dueMs: number
  isUnderWay: boolean
  /** It is in storage, or on its way there. */
  isKept: boolean
}

interface Kept {
  readonly topic: string
  readonly attempt: number
  readonly sinceMs: number
}

const SPACE = 'lonelyps.missed'

/** Eight times as many as may be sent at once by default: hosts take turns among those that are under way. */
const UNDER_WAY_MAX = 1_024

/** Notices between two looks at the clock: some 0.1 ms. */
const LOOKED_AT_ONCE = 256
