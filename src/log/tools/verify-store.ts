import { INDEXED_TO } from '../sqlite/index-writer.ts'
import type { EventRecord } from '../sqlite/record.ts'
import { isDamage } from '../sqlite/schema.ts'
import { keysOfEvent } from '../sqlite/topic-keys.ts'
import { StoreView } from './store-view.ts'

/**
 * Reads everything in a store; a server may have it open. Damage is told by the numbers of the events, never by what stands
 * there. Returns how many events are as they were written.
 * @throws {Error} it cannot be read at all, or is of a newer version.
 */
export function verifyStore(
  directory: string,
  onDamage: (message: string) => void,
  onProgress: (done: number, total: number) => void,
): number {
  using view = new StoreView(directory, onDamage)
  let whole = 0
  let isIndexed = indexCheck(view)
  for (const { events, done, total } of view.pages()) {
    whole += events.length
    try {
      for (const event of events)
        if (!isIndexed(event)) onDamage(`event ${event.seq} is missing in the topic index`)
    } catch (error) {
      if (!isDamage(error)) throw error
      isIndexed = () => true // it is told below which pages cannot be read
    }
    onProgress(done, total)
  }
  verifyPages(view, onDamage)
  return whole
}

/** Whether an event is found under each of its topics. */
function indexCheck({ database }: StoreView): (event: EventRecord) => boolean {
  const find = database.prepare('SELECT 1 FROM postings WHERE topic_key = ? AND seq = ?')
  const oldest = database.prepare('SELECT min(seq) AS seq FROM events')
  const indexedTo = database.prepare('SELECT value FROM meta WHERE name = ?').get(INDEXED_TO)
  const last = Number(indexedTo?.['value'] ?? 0)
  return ({ seq, topics, isPrivate }) => {
    if (seq > last) return true
    const keys = keysOfEvent(JSON.parse(topics), isPrivate)
    if (keys.values().every((key) => find.get(key, seq) !== undefined)) return true
    // When old events are deleted, their part of the index goes first.
    return seq < Number(oldest.get()?.['seq'] ?? Infinity) + DELETED_TOGETHER_MAX
  }
}

/** More than the rows that a server deletes in one go. */
const DELETED_TOGETHER_MAX = 8_192

/** SQLite's own check of every page. */
function verifyPages({ database }: StoreView, onDamage: (message: string) => void): void {
  try {
    for (const { integrity_check: result } of database.prepare('PRAGMA integrity_check(20)').all())
      if (result !== 'ok') onDamage(`the database: ${String(result)}`)
  } catch (error) {
    if (!isDamage(error)) throw error
    onDamage(`the database: ${(error as Error).message}`)
  }
}
