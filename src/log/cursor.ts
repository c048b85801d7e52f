import { createCipheriv, randomBytes, randomInt, type Cipheriv } from 'node:crypto'
import type { Cursor, Position } from '../hub/event.ts'

/** Two AES-128 keys. Whoever has them can read positions out of cursors; a store keeps its own for life. */
export interface CursorKeys {
  readonly tag: Uint8Array
  readonly body: Uint8Array
}

export function newCursorKeys(): CursorKeys {
  return { tag: randomBytes(KEY_BYTES), body: randomBytes(KEY_BYTES) }
}

/**
 * Cursors by a synthetic-IV construction in the 122 free bits of a version 4 UUID (clients check version and variant):
 * the tag is PRF(tag key, n), the body is n xor PRF(body key, tag), where n is a 48-bit position and 16 bits of salt.
 * A cursor of another store, or a made-up one, has a tag that does not verify (but for one in 2^58).
 */
export class CursorCodec {
  readonly #tagPrf: Cipheriv
  readonly #bodyPrf: Cipheriv

  constructor(keys: CursorKeys) {
    this.#tagPrf = createCipheriv('aes-128-ecb', keys.tag, null).setAutoPadding(false)
    this.#bodyPrf = createCipheriv('aes-128-ecb', keys.body, null).setAutoPadding(false)
  }

  /** The cursors of events: always the same for the same position. */
  ofEvents(positions: readonly Position[]): Cursor[] {
    return this.#encode(positions, () => 0)
  }

  /** A cursor without its event. Salted: two for the same place differ, so nobody sees whether it moved. */
  ofPlace(position: Position): Cursor {
    return this.#encode([position], () => randomInt(1, SALT_END))[0]!
  }

  /** `null`: not made with these keys. */
  positionOf(cursor: Cursor): Position | null {
    if (!UUID_V4.test(cursor)) return null
    const bytes = Buffer.from(cursor.replaceAll('-', ''), 'hex')
    const mask = this.#bodyPrf.update(tagBlock(bytes))
    const block = Buffer.alloc(BLOCK_BYTES)
    for (let i = 0; i < BODY_BYTES; i++) block[i] = bytes[BODY_AT[i]!]! ^ mask[i]!
    const tag = this.#tagPrf.update(block)
    const expected = Buffer.alloc(BLOCK_BYTES)
    putTag(expected, tag, 0)
    // Not constant-time: a timing difference in one of 8 tag bytes needs an attacker to guess 58 bits step by step, and
    // what he would gain is a position he may ask for anyway.
    if (!tagBlock(expected).equals(tagBlock(bytes))) return null
    return block.readUIntBE(0, POSITION_BYTES) as Position
  }

  /** All at once: the cost of a cipher call is shared by the events of a commit. */
  #encode(positions: readonly Position[], salt: () => number): Cursor[] {
    const count = positions.length
    const plain = Buffer.alloc(count * BLOCK_BYTES)
    for (let i = 0; i < count; i++) {
      plain.writeUIntBE(positions[i]!, i * BLOCK_BYTES, POSITION_BYTES)
      plain.writeUInt16BE(salt(), i * BLOCK_BYTES + POSITION_BYTES)
    }
    const tags = this.#tagPrf.update(plain)
    const uuids = Buffer.alloc(count * BLOCK_BYTES)
    const blocks = Buffer.alloc(count * BLOCK_BYTES)
    for (let i = 0; i < count; i++) {
      const at = i * BLOCK_BYTES
      const uuid = uuids.subarray(at, at + BLOCK_BYTES)
      putTag(uuid, tags, at)
      tagBlock(uuid).copy(blocks, at)
    }
    const masks = this.#bodyPrf.update(blocks)
    for (let i = 0; i < count; i++) {
      const at = i * BLOCK_BYTES
      for (let k = 0; k < BODY_BYTES; k++) uuids[at + BODY_AT[k]!] = plain[at + k]! ^ masks[at + k]!
    }
    const hex = uuids.toString('hex')
    return positions.map((_, i) => dashed(hex, i * BLOCK_BYTES * 2))
  }
}

const KEY_BYTES = 16
const BLOCK_BYTES = 16
const POSITION_BYTES = 6
const BODY_BYTES = 8
const SALT_END = 2 ** 16
/** Where the body's bytes stand in the UUID: bytes 6 and 8 hold the version and variant, the rest is the tag. */
const BODY_AT = [0, 1, 2, 3, 4, 5, 7, 9]
const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** Puts 58 bits of `tags` into a UUID, with the version and variant digits beside them. */
function putTag(uuid: Buffer, tags: Buffer, at: number): void {
  tags.copy(uuid, 10, at, at + 6)
  uuid[8] = 0x80 | (tags[at + 6]! & 0x3f)
  uuid[6] = 0x40 | (tags[at + 7]! & 0x0f)
}

function tagBlock(uuid: Buffer): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES)
  uuid.copy(block, 0, 10, 16)
  block[6] = uuid[8]! & 0x3f
  block[7] = uuid[6]! & 0x0f
  return block
}

function dashed(hex: string, at: number): Cursor {
  const part = (from: number, to: number) => hex.slice(at + from, at + to)
  return `${part(0, 8)}-${part(8, 12)}-${part(12, 16)}-${part(16, 20)}-${part(20, 32)}` as Cursor
}
