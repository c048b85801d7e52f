import type { Payload } from '../../publication/publication.ts'
import {
  LISTED_ENTITLEMENTS_MAX,
  ProtocolError,
  type ClientId,
  type Entitlements,
  type Mark,
  type Sender,
} from './messages.ts'
import { Output } from './output.ts'

/** What the payload of an event does not say of what was published. */
export interface Sealed extends Sender {
  readonly publisher: ClientId
  /** In UTF-16 units: the topic is the rest of the path. */
  readonly feedLength: number
  readonly mark: Mark
  /** `null`: there are no packets. */
  readonly packets: readonly SealedPacket[] | null
}

export interface SealedPacket {
  readonly entitlements: Entitlements | null
  readonly type: Payload['type'] | 'empty'
  /** How long its text is in the payload, in UTF-16 units, where several are. */
  readonly length: number
}

/**
 * In as few bytes as is easy, as a message may have 65,535 packets: numbers of 7 bits a byte, and each set of entitlements once.
 * Publisher, user, host, length of the feed, mark, sets, packets.
 */
export function bytesOfSealed({
  publisher,
  user,
  host,
  feedLength,
  mark,
  packets,
}: Sealed): Uint8Array {
  const output = new Output()
  output.number(VERSION)
  output.bytes(Buffer.from(publisher, 'hex'))
  textTo(output, user)
  textTo(output, host)
  output.number(feedLength)
  output.number(typeof mark === 'string' ? 2 : Number(mark))
  if (typeof mark === 'string') textTo(output, mark)
  const sets = new Map<string, { readonly place: number; readonly entitlements: Entitlements }>()
  const written = packets?.map(({ entitlements, type, length }) => {
    if (entitlements === null) return { set: 0, type, length }
    const key = keyOf(entitlements)
    let set = sets.get(key)
    if (set === undefined) sets.set(key, (set = { place: sets.size + 1, entitlements }))
    return { set: set.place, type, length }
  })
  output.number(sets.size)
  for (const { entitlements } of sets.values()) {
    output.number(entitlements.length)
    output.integers(entitlements)
  }
  output.number(packets?.length ?? 0)
  for (const { set, type, length } of written ?? []) {
    output.number(TYPES.indexOf(type))
    output.number(set)
    output.number(length)
  }
  return output.all
}

/** @throws {ProtocolError} it is not what `bytesOfSealed` writes. */
export function sealedIn(bytes: Uint8Array): Sealed {
  const input = new SealedReader(bytes)
  if (input.number() !== VERSION) throw new ProtocolError('an envelope of another version')
  const publisher = Buffer.from(input.bytes(16)).toString('hex')
  const [user, host] = [input.text(), input.text()]
  const feedLength = input.number()
  const form = input.number()
  const mark = form === 2 ? input.text() : form === 1
  const sets = listOf(input, () => input.integers())
  const packets = listOf(input, () => {
    const type = TYPES[input.number()]!
    const set = input.number()
    return { type, entitlements: set === 0 ? null : sets[set - 1]!, length: input.number() }
  })
  return {
    publisher,
    user,
    host,
    feedLength,
    mark,
    packets: packets.length === 0 ? null : packets,
  }
}

const VERSION = 1

/** By their numbers: none ever has another one. */
const TYPES: readonly SealedPacket['type'][] = ['empty', 'json-object', 'data']

/** Equal for equal ones. */
function keyOf(entitlements: Entitlements): string {
  if (!(entitlements instanceof Int32Array)) return entitlements.join()
  const { buffer, byteOffset, byteLength } = entitlements
  return `:${Buffer.from(buffer, byteOffset, byteLength).toString('latin1')}`
}

function textTo(output: Output, text: string): void {
  const length = Buffer.byteLength(text)
  output.number(length)
  output.text(text, length)
}

function listOf<T>(input: SealedReader, read: () => T): readonly T[] {
  return Array.from({ length: input.number() }, read)
}

class SealedReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  number(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) throw new ProtocolError('an envelope that is cut off')
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }

  bytes(count: number): Uint8Array {
    const end = this.#at + count
    if (end > this.#bytes.length) throw new ProtocolError('an envelope that is cut off')
    const bytes = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return bytes
  }

  /** Behind their number. */
  integers(): Entitlements {
    const count = this.number()
    const bytes = Buffer.from(this.bytes(4 * count))
    if (count <= LISTED_ENTITLEMENTS_MAX)
      return Array.from({ length: count }, (_, n) => bytes.readInt32BE(4 * n))
    return new Int32Array(Uint8Array.from(bytes.swap32()).buffer)
  }

  text(): string {
    return Buffer.from(this.bytes(this.number())).toString()
  }
}
