import { readSync, statSync, type BigIntStats } from 'node:fs'
import {
  areFramesWhole,
  FRAME_HEADER_BYTES,
  LOG_HEADER_BYTES,
  positionOfFrame,
} from './wal-frames.ts'

/** Which file stands behind a name. */
export interface FileIdentity {
  readonly path: string
  readonly device: bigint
  readonly inode: bigint
}

/** The files at the place of a store are not those that this process has open, or somebody else has written to them. */
class ForeignFilesError extends Error {
  readonly code = FOREIGN_FILES
}

/** As an error's `code`, which outlives the way from thread to thread. */
export const FOREIGN_FILES = 'FOREIGN_FILES'

export function identityOf(path: string): FileIdentity {
  const { dev: device, ino: inode } = statSync(path, { bigint: true })
  return { path, device, inode }
}

/** @throws {ForeignFilesError} another file is there, or none. */
export function checkIdentities(identities: readonly FileIdentity[]): void {
  for (const identity of identities) statOf(identity)
}

export interface OpenFiles {
  readonly directory: string
  readonly database: string
  /** The locks, within the directory and beside it. */
  readonly locks: readonly FileIdentity[]
  readonly databaseDescriptor: number
  readonly logDescriptor: number
  /** In the write-ahead log. */
  readonly frames: number
  /** As it is committed, if not yet in the database. */
  readonly generation: number
}

/**
 * The files of an open store, as this process left them. SQLite does not look at names again once it has opened a file: it
 * would go on writing to one that was deleted, moved or overwritten, and nobody would find there what was acknowledged.
 */
export class StoreFiles {
  readonly #directory: FileIdentity
  readonly #database: FileIdentity
  readonly #log: FileIdentity
  readonly #index: FileIdentity
  /** Whatever has a name in the directory or beside it. */
  readonly #names: readonly FileIdentity[]
  /** The lock beside the directory, whose own time does not tell when that is deleted. */
  readonly #outside: readonly FileIdentity[]
  readonly #databaseDescriptor: number
  readonly #logDescriptor: number
  /** A new name, or one that is gone, changes it. */
  #directoryNs: bigint
  #databaseStats: BigIntStats
  #logEnd: LogEnd
  /** The write-ahead log when it was looked at last, unless we have written to it since. */
  #idleLog: BigIntStats | undefined
  /** How far looks have come that do not look at all of it. */
  #look: Look = { at: 0 }
  /** The numbers that a checkpoint of ours may have left in the database. */
  #generations: readonly number[]
  #isCheckpointUnderWay = false

  constructor({
    directory,
    database,
    locks,
    databaseDescriptor,
    logDescriptor,
    frames,
    generation,
  }: OpenFiles) {
    this.#directory = identityOf(directory)
    this.#database = identityOf(database)
    this.#log = identityOf(`${database}-wal`)
    this.#index = identityOf(`${database}-shm`)
    this.#names = [this.#database, this.#log, this.#index, ...locks]
    this.#outside = locks.filter(({ path }) => !path.startsWith(`${directory}/`))
    this.#databaseDescriptor = databaseDescriptor
    this.#logDescriptor = logDescriptor
    this.#directoryNs = statOf(this.#directory).mtimeNs
    this.#databaseStats = statOf(this.#database)
    this.#generations = [this.#generation(), generation]
    this.#logEnd = this.#readLogEnd(frames)
  }

  /** What is to be found again under its name. */
  get identities(): readonly FileIdentity[] {
    return [this.#directory, this.#database]
  }

  /** `frames`: in the write-ahead log, as SQLite has it now; asked last. @throws {ForeignFilesError} */
  check(frames: () => number): void {
    this.#check(FRAMES_CHECKED_MAX, frames)
  }

  /** The same, but it takes a millisecond at most: of a write-ahead log that is long, the next looks see the rest. @throws {ForeignFilesError} */
  look(frames: () => number): void {
    this.#check(FRAMES_PER_LOOK, frames)
  }

  /**
   * Before a transaction, in some µs. `frames` as in `check`. `isNext`: it follows another one at once, behind which all of this was looked
   * at; what is done to the files in between is found behind this one. @throws {ForeignFilesError} nothing is written yet.
   */
  beforeWriting(frames: () => number, { isNext = false } = {}): void {
    // Without a look since the last flush, asking would cost the next one; with one, it has been asked already.
    const seen = this.#idleLog ?? this.#look.stats
    if (!isNext || seen !== undefined) {
      this.#checkPlace()
      this.#checkDatabase()
      this.#checkLogEnd()
    }
    if (seen !== undefined) this.#checkIdleLog(seen)
    this.#checkIndex(frames)
    this.#idleLog = undefined
    this.#look = { at: this.#look.at }
  }

  /**
   * Once a transaction is flushed, in some µs. `frames`: in the write-ahead log now.
   * @throws {ForeignFilesError} whether a restart finds it is not known.
   */
  afterWriting(frames: number): void {
    this.#checkPlace()
    this.#checkDatabase()
    const before = this.#logEnd
    const now = this.#readLogEnd(frames)
    const isContinued = now.header.equals(before.header)
    const isWhole = isContinued
      ? frames >= before.frames && this.#frameAt(before.frames).equals(before.lastFrame)
      : before.frames === 0 || isNextHeader(now.header, before.header)
    if (!isWhole || !this.#isFrame(now)) throw changed(this.#log)
    this.#logEnd = now
  }

  /** From now on the database changes by our own hand. `frames` as in `check`. @throws {ForeignFilesError} */
  checkpointBegins(frames: () => number): void {
    this.check(frames)
    this.#isCheckpointUnderWay = true
  }

  /** The next checkpoint leaves this number in the header of the database. */
  expectGeneration(generation: number): void {
    this.#generations = [this.#generation(), generation]
  }

  /** @throws {ForeignFilesError} what the checkpoint wrote to is not the store any more. */
  checkpointEnds(): void {
    this.#isCheckpointUnderWay = false
    const stats = statOf(this.#database)
    this.#checkGeneration(stats)
    this.#databaseStats = stats
  }

  /** All is where it was, but for the name of the write-ahead log, which is still open: what it holds can be taken to the database. */
  get isLogDeletedOnly(): boolean {
    try {
      checkIdentities([
        this.#directory,
        ...this.#names.filter((each) => each !== this.#index && each !== this.#log),
      ])
      this.#checkDatabase()
      if (statSync(this.#log.path, { throwIfNoEntry: false }) !== undefined) return false
      this.#checkLogEnd()
      return true
    } catch {
      return false
    }
  }

  /** How long a checkpoint would read at least, in ms, by a few pages of the write-ahead log. */
  readingMs(frames: number): number {
    const startedMs = performance.now()
    const page = Buffer.alloc(PAGE_BYTES)
    for (let nth = 0; nth < PAGES_SAMPLED; nth++) {
      const frame = Math.floor((frames * nth) / PAGES_SAMPLED)
      readSync(this.#logDescriptor, page, 0, PAGE_BYTES, positionOf(frame) + FRAME_HEADER_BYTES)
    }
    return ((performance.now() - startedMs) / PAGES_SAMPLED) * frames
  }

  #checkPlace(): void {
    const { mtimeNs } = statOf(this.#directory)
    checkIdentities(this.#outside)
    if (mtimeNs === this.#directoryNs) return
    checkIdentities(this.#names)
    this.#directoryNs = mtimeNs
  }

  #checkDatabase(): void {
    const stats = statOf(this.#database)
    const known = this.#databaseStats
    if (this.#isCheckpointUnderWay) return this.#checkGeneration(stats)
    if (stats.size !== known.size || stats.mtimeNs !== known.mtimeNs) throw changed(this.#database)
    if (stats.ctimeNs === known.ctimeNs) return
    // Mode, owner, links; or a copy whose time was set to that of the old one.
    this.#checkGeneration(stats)
    this.#databaseStats = stats
  }

  #checkGeneration({ size }: BigIntStats): void {
    if (size < this.#databaseStats.size || !this.#generations.includes(this.#generation()))
      throw changed(this.#database)
  }

  /** Read past SQLite, which would show the one of the write-ahead log. */
  #generation(): number {
    const bytes = Buffer.alloc(4)
    readSync(this.#databaseDescriptor, bytes, 0, 4, APPLICATION_ID_AT)
    return bytes.readInt32BE()
  }

  /**
   * Without asking for its time: a kernel that was asked gives the next write a time of its own, and each flush would then have
   * that to write, too.
   */
  #checkLogEnd(): void {
    const { header, frames, lastFrame } = this.#logEnd
    const isSame = this.#readHeader().equals(header) && this.#frameAt(frames).equals(lastFrame)
    if (!isSame) throw changed(this.#log)
  }

  #check(framesMax: number, frames: () => number): void {
    const { mtimeNs } = statOf(this.#directory)
    checkIdentities(this.#names)
    this.#directoryNs = mtimeNs
    this.#checkDatabase()
    this.#checkLogEnd()
    if (this.#idleLog === undefined) this.#checkFrames(framesMax)
    else this.#checkIdleLog(this.#idleLog)
    this.#checkIndex(frames)
  }

  /** What nobody has written to since has the size and time of then. */
  #checkIdleLog(before: BigIntStats): void {
    const stats = statOf(this.#log)
    if (stats.size !== before.size || stats.mtimeNs !== before.mtimeNs) throw changed(this.#log)
  }

  /**
   * If we have written, what was done to it meanwhile shows in its sums only: 12 ms for a log of the usual size, which is why looks go on
   * where the last one has ended, and begin anew at the end. Once they have seen all of it, and nobody has written, it is idle.
   */
  #checkFrames(framesMax: number): void {
    const { frames } = this.#logEnd
    const oldest = Math.max(0, frames - FRAMES_CHECKED_MAX)
    const { at: next, left = frames - oldest, stats = statOf(this.#log) } = this.#look
    this.#checkIdleLog(stats)
    const count = Math.min(left, framesMax)
    const at = next < oldest || next >= frames ? oldest : next
    const to = Math.min(frames, at + count)
    const around = oldest + count - (to - at)
    if (!this.#areWhole(at, to) || !this.#areWhole(oldest, around)) throw changed(this.#log)
    this.#look = { at: around > oldest ? around : to, left: left - count, stats }
    if (left === count) this.#idleLog = stats
  }

  /**
   * The index of the write-ahead log is mapped into memory, so its times tell nothing. SQLite believes it how far the log goes,
   * and would write over what lies behind: test/log/sqlite/store-files.test.ts ("an old index is copied over it").
   */
  #checkIndex(frames: () => number): void {
    if (frames() !== this.#logEnd.frames) throw changed(this.#index)
  }

  #areWhole(from: number, to: number): boolean {
    const { header } = this.#logEnd
    const descriptor = this.#logDescriptor
    return areFramesWhole({ descriptor, header, from, to, pageBytes: PAGE_BYTES })
  }

  #readLogEnd(frames: number): LogEnd {
    return { frames, header: this.#readHeader(), lastFrame: this.#frameAt(frames) }
  }

  #readHeader(): Buffer {
    const header = Buffer.alloc(LOG_HEADER_BYTES)
    readSync(this.#logDescriptor, header, 0, LOG_HEADER_BYTES, 0)
    return header
  }

  /** The head of a frame has the salts of its log: one that was cut off has none. */
  #isFrame({ frames, header, lastFrame }: LogEnd): boolean {
    return frames === 0 || lastFrame.subarray(8, 16).equals(header.subarray(SALT_AT, SALT_AT + 8))
  }

  /** The head of a frame, counted from 1: it has a sum over all frames before it. */
  #frameAt(frame: number): Buffer {
    const head = Buffer.alloc(FRAME_HEADER_BYTES)
    if (frame > 0) readSync(this.#logDescriptor, head, 0, FRAME_HEADER_BYTES, positionOf(frame - 1))
    return head
  }
}

/** The write-ahead log after our last transaction. */
interface LogEnd {
  readonly frames: number
  readonly header: Buffer
  readonly lastFrame: Buffer
}

interface Look {
  /** The frame that is next. */
  readonly at: number
  /** Frames to be looked at until all were. Absent, as the next: all of them, as we have written since the last look. */
  readonly left?: number
  /** The file's when the first of them was. */
  readonly stats?: BigIntStats
}

function statOf({ path, device, inode }: FileIdentity): BigIntStats {
  let stats: BigIntStats | undefined
  try {
    stats = statSync(path, { bigint: true, throwIfNoEntry: false })
  } catch (error) {
    throw new ForeignFilesError(`${path} cannot be reached (${(error as Error).message})`)
  }
  if (stats === undefined)
    throw new ForeignFilesError(`${path} was deleted or moved away while it was open`)
  if (stats.dev !== device || stats.ino !== inode)
    throw new ForeignFilesError(`${path} is another file than the one that is open`)
  return stats
}

function changed({ path }: FileIdentity): ForeignFilesError {
  return new ForeignFilesError(`${path} was overwritten by somebody else while it was open`)
}

/** Whether SQLite has begun the write-ahead log anew: both numbers count up (sqlite.org/fileformat2.html#walformat). */
function isNextHeader(next: Buffer, before: Buffer): boolean {
  const steps = (at: number) => (next.readUInt32BE(at) - before.readUInt32BE(at)) >>> 0
  return steps(CHECKPOINTS_AT) > 0 && steps(CHECKPOINTS_AT) === steps(SALT_AT)
}

function positionOf(frames: number): number {
  return positionOfFrame(frames, PAGE_BYTES)
}

export const PAGE_BYTES = 4_096
/** As sqlite.org/fileformat2.html has it. */
const APPLICATION_ID_AT = 68
const CHECKPOINTS_AT = 12
const SALT_AT = 16
const PAGES_SAMPLED = 8
/** 16 MiB: a log is four times smaller unless somebody reads for long. */
const FRAMES_CHECKED_MAX = 4_096
/** With looks each 400 ms, all of a log of 4,096 is seen within 7 s. */
const FRAMES_PER_LOOK = 256
