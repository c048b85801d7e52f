import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/**
 * The rows of a database file that stand in leaves of tables and have one of these numbers of columns, whether a tree leads there or not.
 * What is damaged is passed over, and so are free pages, as far as the list of them can be read. Integers, texts,
 * bytes and NULL only (sqlite.org/fileformat2.html).
 */
export function* rowsInPages(path: string, columns: ReadonlySet<number>): Generator<RawRow> {
  const file = openSync(path, 'r')
  try {
    const pages = new Pages(file)
    const free = freePages(pages)
    for (let number = 1; number <= pages.count; number++)
      if (!free.has(number)) yield* rowsOfPage(pages, number, columns)
  } finally {
    closeSync(file)
  }
}

/** The row's number, and its columns; the one that is the number is NULL. */
export interface RawRow {
  readonly rowid: number
  readonly values: readonly RawValue[]
}

type RawValue = number | string | Uint8Array | null

class Pages {
  readonly count: number
  readonly #file: number
  #chunk: Buffer = Buffer.alloc(0)
  #chunkFirst = 1

  constructor(file: number) {
    this.#file = file
    this.count = Math.floor(fstatSync(file).size / PAGE_BYTES)
  }

  /** Mostly the one after the last. */
  get(number: number): Buffer {
    const at = (number - this.#chunkFirst) * PAGE_BYTES
    if (at >= 0 && at + PAGE_BYTES <= this.#chunk.length)
      return this.#chunk.subarray(at, at + PAGE_BYTES)
    this.#chunk = this.#read(number, CHUNK_PAGES)
    this.#chunkFirst = number
    return this.#chunk.subarray(0, PAGE_BYTES)
  }

  /** One out of order, as the overflow of a long row is. */
  single(number: number): Buffer | null {
    return number >= 1 && number <= this.count ? this.#read(number, 1) : null
  }

  #read(number: number, count: number): Buffer {
    const buffer = Buffer.alloc(Math.min(count, this.count - number + 1) * PAGE_BYTES)
    const length = readSync(this.#file, buffer, 0, buffer.length, (number - 1) * PAGE_BYTES)
    return length === buffer.length
      ? buffer
      : Buffer.concat([buffer.subarray(0, length)], buffer.length)
  }
}

function freePages(pages: Pages): Set<number> {
  const free = new Set<number>()
  const first = pages.single(1)
  if (first === null || !first.subarray(0, MAGIC.length).equals(MAGIC)) return free
  for (let trunk = first.readUInt32BE(32); trunk !== 0 && !free.has(trunk);) {
    const page = pages.single(trunk)
    if (page === null) break
    free.add(trunk)
    const leaves = Math.min(page.readUInt32BE(4), PAGE_BYTES / 4 - 2)
    for (let i = 0; i < leaves; i++) free.add(page.readUInt32BE(8 + 4 * i))
    trunk = page.readUInt32BE(0)
  }
  return free
}

function* rowsOfPage(
  pages: Pages,
  number: number,
  columns: ReadonlySet<number>,
): Generator<RawRow> {
  const page = pages.get(number)
  const header = number === 1 ? 100 : 0
  if (page[header] !== TABLE_LEAF) return
  const cells = page.readUInt16BE(header + 3)
  if (header + 8 + 2 * cells > PAGE_BYTES) return
  for (let i = 0; i < cells; i++) {
    const row = rowAt(pages, page, page.readUInt16BE(header + 8 + 2 * i), columns)
    if (row !== null) yield row
  }
}

function rowAt(
  pages: Pages,
  page: Buffer,
  at: number,
  columns: ReadonlySet<number>,
): RawRow | null {
  try {
    const length = varint(page, at)
    const rowid = varint(page, length.end)
    const payload = payloadAt(pages, page, rowid.end, length.value)
    const values = payload === null ? null : valuesIn(payload, columns)
    return values === null ? null : { rowid: rowid.value, values }
  } catch {
    return null // it leads out of the page
  }
}

function payloadAt(pages: Pages, page: Buffer, at: number, length: number): Buffer | null {
  if (length > pages.count * PAGE_BYTES) return null
  const local = localBytes(length)
  if (at + local > PAGE_BYTES) return null
  const pieces = [page.subarray(at, at + local)]
  let left = length - local
  for (let next = left > 0 ? page.readUInt32BE(at + local) : 0; left > 0;) {
    const overflow = pages.single(next)
    if (overflow === null) return null
    const piece = overflow.subarray(4, 4 + Math.min(left, PAGE_BYTES - 4))
    pieces.push(piece)
    left -= piece.length
    next = overflow.readUInt32BE(0)
  }
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
}

/** How much of a row stands in the leaf itself. */
function localBytes(length: number): number {
  if (length <= PAGE_BYTES - 35) return length
  const least = Math.floor(((PAGE_BYTES - 12) * 32) / 255) - 23
  const wanted = least + ((length - least) % (PAGE_BYTES - 4))
  return wanted <= PAGE_BYTES - 35 ? wanted : least
}

function valuesIn(payload: Buffer, columns: ReadonlySet<number>): RawValue[] | null {
  const headerEnd = varint(payload, 0)
  const types: number[] = []
  for (let at = headerEnd.end; at < headerEnd.value;) {
    const type = varint(payload, at)
    types.push(type.value)
    at = type.end
  }
  if (!columns.has(types.length)) return null
  let at = headerEnd.value
  return types.map((type) => {
    const bytes = type >= 12 ? (type - 12) >> 1 : (INTEGER_BYTES[type] ?? 0)
    const end = at + bytes
    if (end > payload.length) throw new RangeError('the row is cut off')
    const value = valueAt(payload, at, end, type)
    at = end
    return value
  })
}

function valueAt(payload: Buffer, at: number, end: number, type: number): RawValue {
  if (type >= 12)
    return type % 2 === 1
      ? payload.toString('utf8', at, end)
      : Uint8Array.from(payload.subarray(at, end))
  if (type === 8 || type === 9) return type - 8
  if (type === 6) return Number(payload.readBigInt64BE(at))
  return type >= 1 && type <= 5 ? payload.readIntBE(at, end - at) : null
}

/** Big-endian, seven bits in a byte; the ninth has eight. Those above 2^53 are none of ours. */
function varint(buffer: Buffer, at: number): { readonly value: number; readonly end: number } {
  let value = 0
  for (let i = 0; i < 8; i++) {
    const byte = buffer.readUInt8(at + i)
    value = value * 128 + (byte & 0x7f)
    if (byte < 0x80) return { value, end: at + i + 1 }
  }
  return { value: value * 256 + buffer.readUInt8(at + 8), end: at + 9 }
}

const PAGE_BYTES = 4_096
const CHUNK_PAGES = 256
const TABLE_LEAF = 0x0d
const MAGIC = Buffer.from('SQLite format 3\0')
/** How long an integer is, by the type in a row's header. */
const INTEGER_BYTES = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0]
