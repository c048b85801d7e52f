import { LogUnavailableError, type OutcomeUnknownError } from '../../hub/errors.ts'
import type { Position } from '../../hub/event.ts'
import { weightOf, type Receipt } from '../../hub/event-log.ts'
import type { Publication } from '../../publication/publication.ts'
import type { StateChange } from '../../hub/state-store.ts'

/** What is to be stored, all or none of it. */
export interface Work {
  readonly publications: readonly Publication[]
  /** When events from elsewhere were published, in ms since the Unix epoch. */
  readonly timesMs?: readonly number[]
  readonly changes: readonly StateChange[]
  /** A further change, made of the places that the events get. */
  readonly record?: (first: Place, last: Place) => StateChange
}

export interface Place {
  readonly position: Position
  readonly publishedAtMs: number
}

/** Work, and who waits for it. */
export interface Waiting extends Work {
  readonly bytes: number
  /** `null`: it had no publications. */
  readonly resolve: (receipt: Receipt | null) => void
  readonly reject: (error: LogUnavailableError | OutcomeUnknownError) => void
}

/** What waits for the next commit. */
export class CommitQueue {
  #waiting: Waiting[] = []
  #bytes = 0

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  push(work: Work): Promise<Receipt | null> {
    const bytes = bytesOf(work)
    if (bytes > 0 && this.#bytes > 0 && this.#bytes + bytes > WAITING_BYTES_MAX)
      return Promise.reject(
        new LogUnavailableError(`more than ${WAITING_BYTES_MAX} bytes wait to be stored`),
      )
    this.#bytes += bytes
    return new Promise((resolve, reject) => this.#waiting.push({ ...work, bytes, resolve, reject }))
  }

  /** As much as one commit takes; what is larger goes alone. */
  take(): readonly Waiting[] {
    let count = 0
    let bytes = 0
    while (count < this.#waiting.length) {
      bytes += this.#waiting[count]!.bytes
      if (count > 0 && bytes > COMMIT_BYTES_MAX) break
      count++
    }
    const taken = this.#waiting.splice(0, count)
    for (const each of taken) this.#bytes -= each.bytes
    return taken
  }

  rejectAll(error: LogUnavailableError): void {
    for (const { reject } of this.#waiting) reject(error)
    this.#waiting = []
    this.#bytes = 0
  }
}

function bytesOf({ publications, changes }: Work): number {
  let bytes = 0
  for (const publication of publications) bytes += weightOf(publication)
  for (const { key, value } of changes) bytes += key.length + (value?.length ?? 0) + OVERHEAD_BYTES
  return bytes
}

/** What is waiting at most, in bytes; beyond it, publishers are told to come back: the disk is too slow for them. */
const WAITING_BYTES_MAX = 67_108_864
/** What a commit takes at most, in bytes: about 30 ms of work, so that nobody waits long for those who came before. */
const COMMIT_BYTES_MAX = 2_097_152
const OVERHEAD_BYTES = 200
