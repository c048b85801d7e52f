import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import type { Random } from './random.ts'
import type { SystemCall } from './traced-server.ts'

/** What becomes of the writes that were not flushed when the power failed. */
export type Fate =
  | 'all are gone'
  /** As after a kill, which takes nothing from the kernel. */
  | 'all are there'
  | 'some are there'
  /** Each sector of each write is there or not. */
  | 'torn'

export const FATES: readonly Fate[] = ['all are gone', 'all are there', 'some are there', 'torn']

/** What a disk writes whole or not at all, in bytes: the smallest that disks have. */
const SECTOR_BYTES = 512

/**
 * What a disk holds of one directory at any time, as it follows from the system calls of a process: what was flushed, and
 * what was not yet. Names are flushed with the directory they stand in, in the order of their changes, as journalling
 * file systems do.
 */
export class Disk {
  readonly #directory: string
  readonly #flushedNames = new Map<string, DiskFile>()
  #openNames: NameChange[] = []
  /** Writes that are under way: a flush that begins meanwhile promises nothing about them. */
  readonly #running = new Map<SystemCall, Change>()
  readonly #syncs = new Map<SystemCall, ReadonlySet<unknown>>()

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Some change of it has begun and may not be on the disk. */
  get hasUnflushed(): boolean {
    return this.#openNames.length > 0 || [...this.#names().values()].some((file) => file.isOpen)
  }

  /** From here on the call may have had any part of its effect. */
  begin(call: SystemCall): void {
    const { name, strings, rest, file, result } = call
    if (result < 0) return
    switch (name) {
      case 'openat':
      case 'mkdir':
      case 'unlink':
      case 'rename':
        return this.#changeName(
          name,
          strings.map((bytes) => bytes.toString()),
          rest,
        )
      case 'ftruncate':
        return this.#change(call, { type: 'size', size: Number(rest.split(', ')[1]) })
      case 'pwrite64':
      case 'write':
        return this.#write(call)
      case 'fsync':
      case 'fdatasync':
        this.#syncs.set(call, this.#openIn(file))
        return
      default:
        if (this.#isHere(file)) throw new Error(`the disk does not know what ${name} does`)
    }
  }

  /** From here on it has had all of its effect. */
  end(call: SystemCall): void {
    this.#running.delete(call)
    const covered = this.#syncs.get(call)
    if (covered === undefined) return
    this.#syncs.delete(call)
    this.#names().get(call.file)?.flush(covered)
    for (const change of this.#openNames)
      if (covered.has(change)) applyName(this.#flushedNames, change)
    this.#openNames = this.#openNames.filter((change) => !covered.has(change))
  }

  /** Writes what the disk may hold now into another directory. */
  restore(to: string, fate: Fate, random: Random): void {
    const kept = {
      'all are gone': 0,
      'all are there': this.#openNames.length,
      'some are there': random.between(0, this.#openNames.length),
      torn: random.between(0, this.#openNames.length),
    }[fate]
    const names = new Map(this.#flushedNames)
    for (const change of this.#openNames.slice(0, kept)) applyName(names, change)
    for (const [path, file] of names) {
      if (!this.#hasParents(path, names)) continue
      const copy = resolve(to, relative(this.#directory, path))
      if (file.isDirectory) mkdirSync(copy, { recursive: true })
      else {
        mkdirSync(dirname(copy), { recursive: true })
        writeFileSync(copy, file.contents(fate, random))
      }
    }
  }

  #changeName(call: string, given: readonly string[], flags: string): void {
    const [path, to] = given.map((each) => resolve(this.#directory, each))
    if (path === undefined || !this.#isHere(path)) return
    const known = this.#names().get(path)
    if (call === 'openat') {
      if (known === undefined && flags.includes('O_CREAT'))
        this.#openNames.push({ path, file: new DiskFile() })
      else if (flags.includes('O_TRUNC')) known?.change({ type: 'size', size: 0 })
    } else if (call === 'mkdir') this.#openNames.push({ path, file: new DiskFile(true) })
    else if (call === 'unlink') this.#openNames.push({ path, file: null })
    else if (known !== undefined) {
      // One step: never both names, never none.
      this.#openNames.push({ path, file: null, renamed: { path: to!, file: known } })
    }
  }

  #write(call: SystemCall): void {
    const { name, strings, rest, file } = call
    const offset =
      name === 'write' ? (this.#names().get(file)?.size ?? 0) : Number(rest.split(', ').at(-1))
    this.#change(call, { type: 'bytes', offset, bytes: strings[0]! })
  }

  #change(call: SystemCall, change: Change): void {
    const file = this.#names().get(call.file)
    if (file === undefined) return
    file.change(change)
    this.#running.set(call, change)
  }

  /** What a flush of a file or directory that begins now brings to the disk. */
  #openIn(path: string): ReadonlySet<unknown> {
    const names = this.#openNames.filter((change) => dirname(change.path) === path)
    const running = new Set<Change>(this.#running.values())
    const changes = this.#names().get(path)?.openChanges ?? []
    return new Set<unknown>([...names, ...changes.filter((change) => !running.has(change))])
  }

  /** As the process sees it. */
  #names(): Map<string, DiskFile> {
    const names = new Map(this.#flushedNames)
    for (const change of this.#openNames) applyName(names, change)
    return names
  }

  #isHere(path: string): boolean {
    // SQLite's shared memory is made anew when the first process opens a store.
    return path.startsWith(join(this.#directory, 'backlog')) && !path.endsWith('-shm')
  }

  #hasParents(path: string, names: ReadonlyMap<string, DiskFile>): boolean {
    const parent = dirname(path)
    return parent === this.#directory || (names.has(parent) && this.#hasParents(parent, names))
  }
}

interface NameChange {
  readonly path: string
  /** `null`: the name is no more. */
  readonly file: DiskFile | null
  readonly renamed?: { readonly path: string; readonly file: DiskFile }
}

function applyName(names: Map<string, DiskFile>, { path, file, renamed }: NameChange): void {
  if (file === null) names.delete(path)
  else names.set(path, file)
  if (renamed !== undefined) names.set(renamed.path, renamed.file)
}

type Change =
  | { readonly type: 'bytes'; readonly offset: number; readonly bytes: Buffer }
  | { readonly type: 'size'; readonly size: number }

class DiskFile {
  readonly isDirectory: boolean
  readonly #flushed = new Content()
  #open: Change[] = []

  constructor(isDirectory = false) {
    this.isDirectory = isDirectory
  }

  get isOpen(): boolean {
    return this.#open.length > 0
  }

  get openChanges(): readonly Change[] {
    return this.#open
  }

  /** As the process sees it, in bytes. */
  get size(): number {
    let { size } = this.#flushed
    for (const change of this.#open)
      size =
        change.type === 'size' ? change.size : Math.max(size, change.offset + change.bytes.length)
    return size
  }

  change(change: Change): void {
    this.#open.push(change)
  }

  flush(covers: ReadonlySet<unknown>): void {
    for (const change of this.#open) if (covers.has(change)) this.#flushed.apply(change)
    this.#open = this.#open.filter((change) => !covers.has(change))
  }

  contents(fate: Fate, random: Random): Buffer {
    if (fate === 'all are gone') return this.#flushed.copy().bytes
    const content = this.#flushed.copy()
    for (const change of this.#open) {
      if (fate === 'all are there') content.apply(change)
      else if (change.type === 'size' || fate === 'some are there') {
        if (random.chance(0.5)) content.apply(change)
      } else for (const part of sectorsOf(change)) if (random.chance(0.5)) content.apply(part)
    }
    return content.bytes
  }
}

function sectorsOf({ offset, bytes }: Change & { type: 'bytes' }): (Change & { type: 'bytes' })[] {
  const sectors: (Change & { type: 'bytes' })[] = []
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + SECTOR_BYTES - ((offset + at) % SECTOR_BYTES))
    sectors.push({ type: 'bytes', offset: offset + at, bytes: bytes.subarray(at, end) })
    at = end
  }
  return sectors
}

/** Bytes that grow. What was never written is zero. */
class Content {
  #buffer: Buffer
  #size: number

  constructor(buffer: Buffer = Buffer.alloc(0)) {
    this.#buffer = buffer
    this.#size = buffer.length
  }

  get size(): number {
    return this.#size
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#size)
  }

  copy(): Content {
    return new Content(Buffer.from(this.bytes))
  }

  apply(change: Change): void {
    if (change.type === 'size') this.#resize(change.size)
    else {
      this.#resize(Math.max(this.#size, change.offset + change.bytes.length))
      change.bytes.copy(this.#buffer, change.offset)
    }
  }

  #resize(size: number): void {
    if (size > this.#buffer.length) {
      const larger = Buffer.alloc(2 * size)
      this.bytes.copy(larger)
      this.#buffer = larger
    }
    if (size < this.#size) this.#buffer.fill(0, size, this.#size)
    this.#size = size
  }
}
