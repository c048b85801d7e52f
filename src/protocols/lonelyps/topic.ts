import { isUtf8 } from 'node:buffer'

/** A topic of lonelyps and where its events stand among the others (docs/protocols/lonelyps.md, Topics). */
export interface Topic {
  /** 0 to 65,535 bytes, or the bytes of a path that is longer than a topic can be. */
  readonly bytes: Buffer
  /** `null`: no glob matches it, as it is no UTF-8, or longer than a topic can be. */
  readonly text: string | null
  /** The path of its events: equal for equal topics only. */
  readonly path: string
}

export function topicOf(bytes: Uint8Array): Topic {
  const own = Buffer.from(bytes)
  const text = isUtf8(own) ? own.toString('utf8') : null
  // What begins with the prefix would be taken for the other form.
  const isPlain = text !== null && !`/${text}`.startsWith(ENCODED)
  return { bytes: own, text, path: isPlain ? `/${text}` : ENCODED + own.toString('base64url') }
}

/** The topic of an event, wherever it was published. */
export function topicOfPath(path: string): Topic {
  if (path.startsWith(ENCODED))
    return { ...topicOf(Buffer.from(path.slice(ENCODED.length), 'base64url')), path }
  const text = path.startsWith('/') ? path.slice(1) : path
  const bytes = Buffer.from(text)
  return { bytes, text: bytes.length > TOPIC_BYTES_MAX ? null : text, path }
}

/** Its length has two bytes on the wire. Paths may be longer where the operator has raised `limits.head_bytes`. */
const TOPIC_BYTES_MAX = 65_535

/** Nobody can publish below `/-/` over HTTP. */
const ENCODED = '/-/lonelyps/topic/'
