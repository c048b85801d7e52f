/*
 * How long the main thread may be busy, in one turn of the event loop, with work that can wait: one budget for all of it,
 * whoever's it is, so that what is done in slices does not add up. A leaf that any room may import. Held by
 * `test/ops/turn-budget.test.ts`.
 */

/** In ms. A slice that has begun is finished, and what cannot wait comes on top. */
const TURN_MS = 5

/** When the budget of this turn is spent; 0: nobody has asked in this turn yet. */
let endsMs = 0
const waiting: (() => void)[] = []
/** Work that is each peer's first of this turn: it comes before slices of what somebody has sent by the thousand. */
const first: (() => void)[] = []
let isServing = false

/** The time of a turn counts from its first question on. */
export function isTurnSpent(): boolean {
  const nowMs = performance.now()
  if (endsMs === 0) {
    endsMs = nowMs + TURN_MS
    setImmediate(endTurn)
  }
  return nowMs >= endsMs
}

function endTurn(): void {
  endsMs = 0
}

/**
 * Does some work at once while this turn has something left for it, else in a later one, before all slices. What is given here is done
 * in the order in which it is given.
 */
export function whenTurnAllows(work: () => void): void {
  if (hasTurnLeft()) return work()
  first.push(work)
  serveSoon()
}

/** Whether work that is given now would be done now. */
export function hasTurnLeft(): boolean {
  return first.length === 0 && !isTurnSpent()
}

/** Calls `slice` in a later turn that has something of its budget left, behind all who have waited for longer. */
export function inLaterTurn(slice: () => void): void {
  waiting.push(slice)
  serveSoon()
}

function serveSoon(): void {
  if (isServing) return
  isServing = true
  setImmediate(serve)
}

function serve(): void {
  if (waiting.length === 0 && first.length === 0) isServing = false
  else if (isTurnSpent()) setImmediate(serve)
  else {
    // Ticks and promises that the slice brings about are part of it: a tick out of a promise comes behind them all.
    try {
      const next = first.shift() ?? waiting.shift()!
      next()
    } finally {
      queueMicrotask(() => process.nextTick(serve))
    }
  }
}
