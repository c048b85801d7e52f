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
  /** Absent in nearly all, so that these cost no more on their way between threads than before there were any. */
  readonly beside?: BesidePayload
}

/** What the columns hold that most events leave empty. */
export interface BesidePayload {
  readonly door: string | null
  /** What the door sealed. */
  readonly envelope: Uint8Array | null
  /** A JSON object. */
  readonly tags: string | null
}

/** The columns of an event without anything beside its payload, as `plainColumnsOf` gives them. */
export const PLAIN_COLUMNS =
  'seq, published_at_ms, is_private, path, topics, payload, bytes_before, crc'

/** In the order that `columnsOf` gives and `recordOf` expects; the last three may be empty. */
export const COLUMNS = `${PLAIN_COLUMNS}, door, envelope, tags`

/** For the values of `COLUMNS`. */
export const PLACEHOLDERS = '(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'

/** As `COLUMNS`, of a store of version 1. */
export const COLUMNS_OF_VERSION_1 = `${PLAIN_COLUMNS}, NULL, NULL, NULL`

/** Rows of version 1 have these; SQLite takes columns that a row does not have for NULL. */
export const COLUMN_COUNTS: ReadonlySet<number> = new Set([8, 12])

type PlainColumns = [number, number, number, string, string, string, number, number]
type Columns = [...PlainColumns, string | null, Uint8Array | null, string | null]

export function columnsOf(record: EventRecord): Columns {
  const columns = plainColumnsOf(record)
  const { door, envelope, tags } = record.beside ?? NOTHING
  columns[7] = checksumBeside(columns[7], door, envelope, tags)
  return [...columns, door, envelope, tags]
}

/** Nearly every event is one of these, and each value that is bound costs time. */
export function plainColumnsOf(record: EventRecord): PlainColumns {
  const { seq, publishedAtMs, isPrivate, path, topics, payload, bytesBefore } = record
  const isPrivateBit = isPrivate ? 1 : 0
  const crc = checksum(seq, publishedAtMs, isPrivateBit, path, topics, payload, bytesBefore)
  return [seq, publishedAtMs, isPrivateBit, path, topics, payload, bytesBefore, crc]
}

/** `null`: the row is not as it was written. */
export function recordOf(columns: unknown): EventRecord | null {
  const all = columns as Columns
  const [seq, publishedAtMs, isPrivateBit, path, topics, payload, bytesBefore, crc] = all
  const [door, envelope, tags] = [all[8], all[9], all[10]]
  const plain = checksum(seq, publishedAtMs, isPrivateBit, path, topics, payload, bytesBefore)
  // Damage may have changed types too, so nothing is relied on before the sum, which is over the values as text, is right.
  if (crc !== checksumBeside(plain, door, envelope, tags)) return null
  const isPrivate = isPrivateBit === 1
  const record = { seq, publishedAtMs, isPrivate, path, topics, payload, bytesBefore }
  return isNothing(door, envelope, tags) ? record : { ...record, beside: { door, envelope, tags } }
}

/** What an event counts for in `bytesMax`: its text, and about what its row and its places in the index take. */
export function sizeOf({ path, topics, payload, beside }: EventRecord): number {
  const size = payload.length + path.length + 2 * topics.length + ROW_BYTES
  if (beside === undefined) return size
  const { door, envelope, tags } = beside
  return size + (door?.length ?? 0) + (envelope?.length ?? 0) + (tags?.length ?? 0)
}

const ROW_BYTES = 40
const NOTHING: BesidePayload = { door: null, envelope: null, tags: null }

function isNothing(door: unknown, envelope: unknown, tags: unknown): boolean {
  return (door ?? envelope ?? tags ?? null) === null
}

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

/** Goes on with the sum of the rest. An event without any of it has the sum that it always had. */
function checksumBeside(
  crc: number,
  door: string | null,
  envelope: Uint8Array | null,
  tags: string | null,
): number {
  if (isNothing(door, envelope, tags)) return crc
  const lengths = [door, envelope, tags].map((each) => String(each?.length)).join(' ')
  const sum = crc32(`${lengths} ${door}${tags}`, crc)
  return envelope instanceof Uint8Array ? crc32(envelope, sum) : crc32(String(envelope), sum)
}
