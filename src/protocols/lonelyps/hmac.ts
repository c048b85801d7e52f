import { hash } from 'node:crypto'

/**
 * HMAC-SHA-512 (RFC 2104) by two hashes of one call each: 2.1 to 2.5 us for 180 bytes, where Node's `createHmac` takes 9.7 to
 * 11.7, most of it to set up and collect. A delivery to one subscriber is signed for it alone.
 */
export function hmacSha512(secret: Buffer, bytes: Uint8Array): Buffer {
  let pads = padsBySecret.get(secret)
  if (pads === undefined) padsBySecret.set(secret, (pads = padsOf(secret)))
  const inner = hash('sha512', Buffer.concat([pads.inner, bytes]), 'buffer')
  return hash('sha512', Buffer.concat([pads.outer, inner]), 'buffer')
}

interface Pads {
  readonly inner: Buffer
  readonly outer: Buffer
}

const padsBySecret = new WeakMap<Buffer, Pads>()

/** Secrets are as long as a hash, so they fit a block and need no hashing of their own. */
function padsOf(secret: Buffer): Pads {
  const padded = (byte: number) => {
    const pad = Buffer.alloc(BLOCK_BYTES, byte)
    secret.forEach((value, at) => (pad[at] = value ^ byte))
    return pad
  }
  return { inner: padded(0x36), outer: padded(0x5c) }
}

const BLOCK_BYTES = 128
