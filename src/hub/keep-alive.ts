import type { SharedEncoding } from './encoding.ts'
import type { Cursor } from './event.ts'
import { beginWork } from '../ops/current-work.ts'

/** A stream as the wheel knows it. */
export interface KeptAlive {
  /** Its place on the wheel; kept for the wheel, which alone changes it. */
  slot: number
  /** Its turn has come. */
  keepAlive(lineAtHead: (encoding: SharedEncoding) => Uint8Array): void
  /** That has thrown: it ends. Must not throw. */
  fail(doing: string, error: unknown): void
}

/** Silence before a keep-alive line, in ms. 5,000 is PyPubSub's (pypubsub.py, the sleep in its listener loop). */
export const KEEP_ALIVE_MS = 5_000

/** Looks at the clock within one interval, every 250 ms of 5 s; a keep-alive is late by at most one. */
const SLOTS = 20

/**
 * Signs of life for all streams from one timer. Each stream is counted from its own first one, so the work is spread
 * evenly; the line of a slot is encoded once per encoding.
 */
export class KeepAliveWheel {
  readonly intervalMs: number
  readonly #slotMs: number
  readonly #cursorOfHead: () => Cursor
  readonly #slots: Set<KeptAlive>[] = Array.from({ length: SLOTS }, () => new Set())
  #timer: NodeJS.Timeout | null = null
  #size = 0
  #current = 0
  #nextTurnMs = 0

  /** `cursorOfHead`: of the last round that was delivered. */
  constructor(cursorOfHead: () => Cursor, intervalMs = KEEP_ALIVE_MS) {
    this.#cursorOfHead = cursorOfHead
    this.intervalMs = intervalMs
    this.#slotMs = intervalMs / SLOTS
  }

  /** The first sign of life comes one interval from now. */
  add(stream: KeptAlive): void {
    if (this.#timer === null) {
      this.#nextTurnMs = performance.now() + this.#slotMs
      this.#wait()
    }
    // The slot just passed: its turn comes again after nearly a whole interval, or a little more, of 5 s never less than 4.75.
    stream.slot = this.#current
    this.#slots[this.#current]!.add(stream)
    this.#size++
  }

  remove(stream: KeptAlive): void {
    if (!this.#slots[stream.slot]?.delete(stream)) return
    stream.slot = -1
    if (--this.#size > 0 || this.#timer === null) return
    clearTimeout(this.#timer)
    this.#timer = null
  }

  /** Each turn at its own time: an interval drifts against the clock, and a whole slot would be skipped now and then. */
  #wait(): void {
    const ms = Math.max(1, Math.ceil(this.#nextTurnMs - performance.now()))
    this.#timer = setTimeout(() => this.#turn(), ms).unref()
  }

  /** Goes by the clock, not by the count of timer calls, which fall behind under load. */
  #turn(): void {
    beginWork('keep-alives')
    const nowMs = performance.now()
    for (let turns = 0; this.#nextTurnMs <= nowMs && turns < SLOTS; turns++) {
      this.#nextTurnMs += this.#slotMs
      this.#current = (this.#current + 1) % SLOTS
      this.#visit(this.#slots[this.#current]!)
    }
    if (this.#nextTurnMs <= nowMs) this.#nextTurnMs = nowMs + this.#slotMs
    if (this.#size > 0) this.#wait()
  }

  #visit(streams: ReadonlySet<KeptAlive>): void {
    const nowMs = Date.now()
    const lines = new Map<SharedEncoding, Uint8Array>()
    const lineOf = (encoding: SharedEncoding) => {
      let line = lines.get(encoding)
      if (line === undefined)
        lines.set(encoding, (line = encoding.keepAlive(nowMs, this.#cursorOfHead)))
      return line
    }
    for (const stream of streams)
      try {
        stream.keepAlive(lineOf)
      } catch (error) {
        stream.fail('giving a sign of life', error)
      }
  }
}
