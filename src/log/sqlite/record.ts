import { crc32 } from 'node:zlib'

/** An event as a row of the table `events`. */
export interface EventRecord {
  /** Dense: each event's is one more than that of the event before. */
  readonly seq: number
  readonly publishedAtMs: number
  readonly isPrivate: boolean
  readonly path: string
  /** A JSON array. */
  readonly topics: string
  readonly payload: string
  /** Size of all events that ever came before: what is kept is a difference of two such numbers. */
  readonly bytesBefore: number
}

/** In the order that `columnsOf` gives and `recordOf` expects. */
export const COLUMNS = 'seq, published_at_ms, is_private, path, topics, payload, bytes_before, crc'

type Columns = [number, number, number, string, string, string, number, number]

export function columnsOf(record: EventRecord): Columns {
  const { seq, publishedAtMs, isPrivate, path, topics, payload, bytesBefore } = record
  const isPrivateBit = isPrivate ? 1 : 0
  const crc = checksum(seq, publishedAtMs, isPrivateBit, path, topics, payload, bytesBefore)
  return [seq, publishedAtMs, isPrivateBit, path, topics, payload, bytesBefore, crc]
}

/** `null`: the row is not as it was written. */
export function recordOf(columns: unknown): EventRecord | null {
  const [seq, publishedAtMs, isPrivateBit, path, topics, payload, bytesBefore, crc] =
    columns as Columns
  // Damage may have changed types too, so nothing is relied on before the sum, which is over the values as text, is right.
  if (crc !== checksum(seq, publishedAtMs, isPrivateBit, path, topics, payload, bytesBefore))
    return null
  return { seq, publishedAtMs, isPrivate: isPrivateBit === 1, path, topics, payload, bytesBefore }
}

/** What an event counts for in `bytesMax`: its text, and about what its row and its places in the index take. */
export function sizeOf({ path, topics, payload }: EventRecord): number {
  return payload.length + path.length + 2 * topics.length + ROW_BYTES
}

const ROW_BYTES = 40

/** CRC-32, because Node has it natively: a CRC-32C in JavaScript takes twice as long (docs/decisions/0010). */
function checksum(
  seq: number,
  publishedAtMs: number,
  isPrivate: number,
  path: string,
  topics: string,
  payload: string,
  bytesBefore: number,
): number {
  const head = `${seq} ${publishedAtMs} ${isPrivate} ${bytesBefore} ${path?.length} ${topics?.length} `
  return crc32(`${head}${path}${topics}${payload}`)
}
