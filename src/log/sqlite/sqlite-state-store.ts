import type { StateChange, StateEntry, StateStore } from '../../hub/state-store.ts'
import type { SqliteEventLog } from './sqlite-event-log.ts'

/** Keys in the database of the events, through its threads. */
export class SqliteStateStore implements StateStore {
  readonly #log: SqliteEventLog

  constructor(log: SqliteEventLog) {
    this.#log = log
  }

  get(space: string, key: string): Promise<Uint8Array | null> {
    const wanted = { space, key, nowMs: this.#log.timeAgo(0) }
    return this.#log.query((reader) => reader.call('state', wanted))
  }

  async apply(changes: readonly StateChange[]): Promise<void> {
    await this.#log.commit({ publications: [], changes })
  }

  async *entries(space: string): AsyncGenerator<StateEntry> {
    let afterKey: string | null = null
    for (;;) {
      const wanted = { space, afterKey, nowMs: this.#log.timeAgo(0) }
      const entries: readonly StateEntry[] = await this.#log.query((reader) =>
        reader.call('entries', wanted),
      )
      if (entries.length === 0) return
      yield* entries
      afterKey = entries.at(-1)!.key
    }
  }
}
