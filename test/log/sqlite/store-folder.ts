import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Position, PublishedEvent } from '../../../src/hub/event.ts'
import type { EventLog } from '../../../src/hub/event-log.ts'
import type { StateStore } from '../../../src/hub/state-store.ts'
import type { TopicFilter } from '../../../src/hub/topics.ts'
import type {
  SqliteEventLog,
  SqliteEventLogOptions,
} from '../../../src/log/sqlite/sqlite-event-log.ts'
import { MovableClock } from '../movable-clock.ts'
import { openSqliteStore } from '../../../src/log/sqlite/sqlite-store.ts'

/** A directory for a store, gone at the end of a test, and a clock for who opens it. */
export class StoreFolder implements Disposable {
  readonly directory: string
  /** What was told to the operator. */
  readonly told: string[] = []
  readonly clock = new MovableClock()
  readonly #isOurs: boolean

  constructor(directory?: string) {
    this.#isOurs = directory === undefined
    this.directory = directory ?? mkdtempSync(join(tmpdir(), 'pubsubd-store-'))
  }

  file(name: string): string {
    return join(this.directory, name)
  }

  async open(options: Partial<SqliteEventLogOptions> = {}): Promise<OpenedStore> {
    const { eventLog, stateStore } = await openSqliteStore({
      directory: this.directory,
      durability: 'disk',
      eventsMax: 1e9,
      maxAgeMs: 0,
      bytesMax: Infinity,
      reserveBytes: 0,
      clock: this.clock,
      logger: (level, message) => void this.told.push(`${level} ${message}`),
      ...options,
    })
    return {
      log: eventLog,
      stateStore,
      [Symbol.asyncDispose]: () => eventLog[Symbol.asyncDispose](),
    }
  }

  [Symbol.dispose](): void {
    if (!this.#isOurs) return
    rmSync(this.directory, { recursive: true, force: true })
    rmSync(`${this.directory}.lock`, { force: true })
  }
}

export interface OpenedStore extends AsyncDisposable {
  readonly log: SqliteEventLog
  readonly stateStore: StateStore
}

export async function readAll(
  log: EventLog,
  after = 0 as Position,
  filters?: readonly TopicFilter[],
): Promise<PublishedEvent[]> {
  const options = { pageBytes: 65_536, ...(filters && { filters }) }
  const pages = await Array.fromAsync(log.read(after, options))
  return pages.flatMap(({ events }) => events)
}
