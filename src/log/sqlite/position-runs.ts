import { randomInt } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import type { Position } from '../../hub/event.ts'

/** What one start of the server wrote: its events have the positions `seq + offset`. */
export interface Run {
  readonly firstSeq: number
  readonly offset: number
}

export function readRuns(database: DatabaseSync): Run[] {
  const rows = database.prepare('SELECT * FROM runs ORDER BY first_seq, position_offset').all()
  return rows.map((row) => ({
    firstSeq: row['first_seq'] as number,
    offset: row['position_offset'] as number,
  }))
}

/** Where the positions of a run that follows `last` begin: far enough away to show what was lost between the two. */
export function nextOffset(last: Run | undefined): number {
  return (last?.offset ?? 0) + randomInt(HOLE_MIN, HOLE_MAX)
}

/**
 * Each start of the server leaves a hole in the positions. A store that was restored from a backup, or that lost its
 * newest events, thereby notices the cursors of events that it does not have: they lie in the hole.
 */
const HOLE_MIN = 2 ** 20
/** 48 bits of position allow 16 million starts. */
const HOLE_MAX = 2 ** 24

/** Positions and the dense numbering of rows, each from the other. */
export class PositionRuns {
  /** Oldest first; never empty. */
  readonly #runs: readonly Run[]

  constructor(runs: readonly Run[]) {
    this.#runs = runs
  }

  /** Everything below belonged to runs whose events are gone. */
  get floor(): Position {
    const first = this.#runs[0]!
    return (first.firstSeq - 1 + first.offset) as Position
  }

  /** Events came after a position, and the runs they belonged to are gone. */
  isGone(position: Position): boolean {
    return position < this.floor && this.#runs[0]!.firstSeq > 1
  }

  positionOf(seq: number): Position {
    const run = this.#runs.findLast(({ firstSeq }) => firstSeq <= seq) ?? this.#runs[0]!
    return (seq + run.offset) as Position
  }

  /** The newest row that is not behind a position. */
  seqAt(position: number): number {
    const at = this.#runs.findLastIndex(({ firstSeq, offset }) => firstSeq + offset <= position)
    if (at === -1) return this.#runs[0]!.firstSeq - 1
    const last = (this.#runs[at + 1]?.firstSeq ?? Infinity) - 1
    return Math.min(position - this.#runs[at]!.offset, last)
  }
}
