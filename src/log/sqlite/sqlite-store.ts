import { SqliteEventLog, type SqliteEventLogOptions } from './sqlite-event-log.ts'
import { SqliteStateStore } from './sqlite-state-store.ts'

/** Both ports on one database: what they are asked to store shares commits. Closing the event log closes the store. */
export interface SqliteStore {
  readonly eventLog: SqliteEventLog
  readonly stateStore: SqliteStateStore
}

/**
 * A damaged store is put aside, loudly, and a new one begins.
 * @throws {Error} another process has the store, its directory cannot be written, or it is of a newer version.
 */
export async function openSqliteStore(options: SqliteEventLogOptions): Promise<SqliteStore> {
  const eventLog = await SqliteEventLog.open(options)
  return { eventLog, stateStore: new SqliteStateStore(eventLog) }
}
