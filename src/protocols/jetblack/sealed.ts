import type { Payload } from '../../publication/publication.ts'
import { ProtocolError, type ClientId, type Mark, type Sender } from './messages.ts'
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
  readonly entitlements: readonly number[] | null
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
  const sets = new Map<string, number>()
  const written = packets?.map(({ entitlements, type, length }) => {
    const key = entitlements === null ? '' : `${entitlements.join(',')},`
    if (key !== '' && !sets.has(key)) sets.set(key, sets.size + 1)
    return { set: sets.get(key) ?? 0, type, length }
  })
  output.number(sets.size)
  for (const key of sets.keys()) {
    const entitlements = key.slice(0, -1).split(',')
    output.number(entitlements.length)
    for (const each of entitlements) output.number(zigzag(Number(each)))
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
  const input = new Input(bytes)
  if (input.number() !== VERSION) throw new ProtocolError('an envelope of another version')
  const publisher = Buffer.from(input.bytes(16)).toString('hex')
  const [user, host] = [input.text(), input.text()]
  const feedLength = input.number()
  const form = input.number()
  const mark = form === 2 ? input.text() : form === 1
  const sets = listOf(input, () => listOf(input, () => unzigzag(input.number())))
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

/** Small ones are small, whatever their sign. */
function zigzag(value: number): number {
  return ((value << 1) ^ (value >> 31)) >>> 0
}

function unzigzag(value: number): number {
  return (value >>> 1) ^ -(value & 1)
}

function textTo(output: Output, text: string): void {
  const length = Buffer.byteLength(text)
  output.number(length)
  output.text(text, length)
}

function listOf<T>(input: Input, read: () => T): readonly T[] {
  return Array.from({ length: input.number() }, read)
}

class Input {
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

  text(): string {
    return Buffer.from(this.bytes(this.number())).toString()
  }
}
