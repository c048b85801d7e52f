import type { CloseReason } from '../../hub/encoding.ts'
import { escapeLineEnds } from './escape-line-ends.ts'

/** How a stream's text is put on the wire. */
export interface Framing {
  /** Equal for equal bytes. */
  readonly key: string
  /** One line or more that belong together, in which nothing but a line feed ends a line for any reader. */
  frame(text: string): Uint8Array
  /** What comes behind the last one. */
  end(reason: CloseReason): Uint8Array
}

/** HTTP/1.1: each in a chunk of its own (RFC 9112 §7.1), because PyPubSub's clients parse chunk by chunk. */
export const CHUNKED: Framing = {
  key: 'chunked',
  frame(text) {
    const lines = escapeLineEnds(text)
    const length = Buffer.byteLength(lines)
    const size = length.toString(16)
    return Buffer.from(`${size}\r\n${lines}\r\n`, length === lines.length ? 'latin1' : 'utf8')
  },
  /**
   * The last chunk says that the answer is whole, so only a client that has got what it asked for sees it: at any other
   * clean end asfpy's `listen()` fails for good, after a cut it reconnects.
   */
  end: (reason) => (reason === 'finished' || reason === 'timeout' ? LAST_CHUNK : EMPTY),
}

/** HTTP/1.0 knows no chunks: the end of the connection ends the stream. */
export const UNCHUNKED: Framing = {
  key: 'unchunked',
  frame: (text) => Buffer.from(escapeLineEnds(text)),
  end: () => EMPTY,
}

const LAST_CHUNK = Buffer.from('0\r\n\r\n')
const EMPTY = new Uint8Array()
