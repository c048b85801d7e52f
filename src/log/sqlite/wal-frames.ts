import { readSync } from 'node:fs'
import { endianness } from 'node:os'

/** What was read of a write-ahead log, and which of its frames are meant. */
export interface WalExtent {
  readonly descriptor: number
  /** Its first 32 bytes. */
  readonly header: Buffer
  /** Counted from 0. */
  readonly from: number
  /** Behind the last. */
  readonly to: number
  readonly pageBytes: number
}

/**
 * Whether these frames of a write-ahead log are as SQLite has written them: each has a sum over all before it and its own page
 * (sqlite.org/fileformat2.html#walformat). A restart takes nothing over from the first one on that is not.
 */
export function areFramesWhole({ descriptor, header, from, to, pageBytes }: WalExtent): boolean {
  // Written on another kind of machine: its next log is of this one.
  if (header.readUInt32BE(0) !== NATIVE_MAGIC) return true
  const frameBytes = FRAME_HEADER_BYTES + pageBytes
  const positionOf = (frame: number) => positionOfFrame(frame, pageBytes)
  let sums = readSums(header, LOG_HEADER_BYTES - SUMS_BYTES)
  if (from > 0) {
    const last = Buffer.alloc(FRAME_HEADER_BYTES)
    readSync(descriptor, last, 0, FRAME_HEADER_BYTES, positionOf(from - 1))
    sums = readSums(last, FRAME_HEADER_BYTES - SUMS_BYTES)
  }
  const bytes = Buffer.from(new ArrayBuffer(FRAMES_AT_ONCE * frameBytes))
  const words = new Uint32Array(bytes.buffer)
  const frameWords = frameBytes / 4
  for (let frame = from; frame < to; frame += FRAMES_AT_ONCE) {
    const count = Math.min(FRAMES_AT_ONCE, to - frame)
    const length = count * frameBytes
    if (readSync(descriptor, bytes, 0, length, positionOf(frame)) < length) return false
    for (let nth = 0; nth < count; nth++) {
      const at = nth * frameWords
      sums = addSums(sums, words, at, at + SUMMED_HEADER_WORDS)
      sums = addSums(sums, words, at + FRAME_HEADER_BYTES / 4, at + frameWords)
      const [first, second] = readSums(bytes, nth * frameBytes + FRAME_HEADER_BYTES - SUMS_BYTES)
      if (first !== sums[0] || second !== sums[1]) return false
    }
  }
  return true
}

/** Where the frame behind so many begins. */
export function positionOfFrame(frames: number, pageBytes: number): number {
  return LOG_HEADER_BYTES + frames * (FRAME_HEADER_BYTES + pageBytes)
}

type Sums = readonly [number, number]

function readSums(bytes: Buffer, at: number): Sums {
  return [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)]
}

function addSums([first, second]: Sums, words: Uint32Array, from: number, to: number): Sums {
  let [one, two] = [first | 0, second | 0]
  for (let at = from; at < to; at += 2) {
    one = (one + words[at]! + two) | 0
    two = (two + words[at + 1]! + one) | 0
  }
  return [one >>> 0, two >>> 0]
}

/** SQLite sums up words as the machine has them, and says so in the log's first word. */
const NATIVE_MAGIC = endianness() === 'LE' ? 0x377f0682 : 0x377f0683
export const LOG_HEADER_BYTES = 32
export const FRAME_HEADER_BYTES = 24
const SUMS_BYTES = 8
/** The page's number and the size of the database. */
const SUMMED_HEADER_WORDS = 2
const FRAMES_AT_ONCE = 64
