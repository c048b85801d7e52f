import type { Position } from './event.ts'
import { Queue } from './queue.ts'

/** How many subscriptions an event was due to. */
interface Matched {
  readonly position: Position
  readonly all: number
  /** The counts of single doors, by name, as far as somebody asks for them. */
  readonly byDoor: ReadonlyMap<string, number>
}

/** The count of one event, while the audiences of a round tell theirs. */
export class RoundCount implements Matched {
  readonly position: Position
  all = 0
  #byDoor: Map<string, number> | null = null

  constructor(position: Position) {
    this.position = position
  }

  get byDoor(): ReadonlyMap<string, number> {
    return this.#byDoor ?? NO_DOORS
  }

  /** `door`: whose they are, if somebody asks for that. */
  add(subscriptions: number, door: string | null): void {
    this.all += subscriptions
    if (door === null) return
    this.#byDoor ??= new Map()
    this.#byDoor.set(door, (this.#byDoor.get(door) ?? 0) + subscriptions)
  }
}

const NO_DOORS: ReadonlyMap<string, number> = new Map()

/** A publication that is under way. */
export interface AwaitedCounts extends Disposable {
  /** The sum for all events from one position to another one. `door`: only of that door's subscriptions. */
  sum(first: Position, last: Position, door?: string): number
}

/**
 * How many subscriptions each event was due to, by its position: so it is the same whichever process has published it. Kept
 * only for publications that are under way here, from when each began.
 */
export class MatchCounts {
  readonly #countsMax: number
  /** In the order of positions. */
  #counts: Matched[] = []
  /** Where the head was when they began, the oldest first. */
  readonly #begun = new Queue<Begun>()
  #oldest: Begun | undefined
  /** How many ask for the count of one door. */
  readonly #asked = new Map<string, number>()

  constructor(countsMax = COUNTS_MAX) {
    this.#countsMax = countsMax
  }

  /** Somebody asks for what is published now. */
  get isAwaited(): boolean {
    return this.#oldest !== undefined
  }

  /** Whether somebody asks for the count of that door. */
  asksFor(door: string): boolean {
    return this.#asked.has(door)
  }

  get size(): number {
    return this.#counts.length
  }

  /** Until it is disposed of, what comes behind `head` is counted; `door`: also for that door alone. */
  await(head: Position, door?: string): AwaitedCounts {
    const begun: Begun = { head, isOver: false }
    if (door !== undefined) this.#asked.set(door, (this.#asked.get(door) ?? 0) + 1)
    if (this.#oldest === undefined) this.#oldest = begun
    else this.#begun.push(begun)
    return {
      sum: (first, last, ofDoor) => this.#sum(Math.max(first, head + 1), last, ofDoor),
      [Symbol.dispose]: () => {
        begun.isOver = true
        if (door !== undefined) this.#askNoMore(door)
        this.#forget()
      },
    }
  }

  add(matched: Matched): void {
    this.#counts.push(matched)
    // Many events behind one that takes long: it is told too few then.
    if (this.#counts.length > 2 * this.#countsMax)
      this.#counts = this.#counts.slice(-this.#countsMax)
  }

  #askNoMore(door: string): void {
    const left = this.#asked.get(door)! - 1
    if (left === 0) this.#asked.delete(door)
    else this.#asked.set(door, left)
  }

  #sum(first: number, last: Position, door: string | undefined): number {
    let sum = 0
    for (let i = this.#firstFrom(first); i < this.#counts.length; i++) {
      const { position, all, byDoor } = this.#counts[i]!
      if (position > last) break
      sum += door === undefined ? all : (byDoor.get(door) ?? 0)
    }
    return sum
  }

  #firstFrom(position: number): number {
    let low = 0
    let high = this.#counts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#counts[middle]!.position < position) low = middle + 1
      else high = middle
    }
    return low
  }

  /** What is older than all that are under way. */
  #forget(): void {
    if (this.#oldest?.isOver !== true) return
    while (this.#oldest?.isOver === true) this.#oldest = this.#begun.shift()
    if (this.#oldest === undefined) this.#counts = []
    else {
      const gone = this.#firstFrom(this.#oldest.head + 1)
      // Not each time, as all the others are moved.
      if (gone > 1_024 || gone * 2 >= this.#counts.length) this.#counts = this.#counts.slice(gone)
    }
  }
}

interface Begun {
  readonly head: Position
  isOver: boolean
}

/** Counts have some 100 bytes each. */
const COUNTS_MAX = 65_536
