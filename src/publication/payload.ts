import { isUtf8 } from 'node:buffer'
import { PubSubError } from './errors.ts'
import type { Payload } from './publication.ts'
import { readJsonObject } from './json-object.ts'

/**
 * Bytes of a protocol whose payloads may be anything. A JSON object that `Payload` can hold in these very bytes is one, as
 * if it had come over HTTP; all else becomes `{"data": "…"}`, or `{"data_base64": "…"}` if it is no text (the names are
 * CloudEvents').
 */
export function payloadOf(bytes: Uint8Array, jsonDepthMax: number): Payload {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const object = body[0] === OPENING_BRACE ? objectIn(body, jsonDepthMax) : null
  if (object !== null) return { type: 'json-object', text: object }
  const data = isUtf8(body)
    ? { data: body.toString('utf8') }
    : { data_base64: body.toString('base64') }
  return { type: 'data', text: JSON.stringify(data) }
}

/** The bytes that were published: what `payloadOf` was given, or the text of an object that came as JSON. */
export function bytesOf({ type, text }: Payload): Buffer {
  if (type === 'json-object') return Buffer.from(text)
  const { data, data_base64: base64 } = JSON.parse(text) as { data?: string; data_base64?: string }
  return data === undefined ? Buffer.from(base64!, 'base64') : Buffer.from(data)
}

/** As one text, for storage: `data` has a mark before its brace, so that what is stored of objects is what it always was. */
export function storedPayload({ type, text }: Payload): string {
  return type === 'data' ? `${DATA_MARK}${text}` : text
}

export function payloadFromStored(stored: string): Payload {
  if (stored.startsWith(DATA_MARK)) return { type: 'data', text: stored.slice(1) }
  return { type: 'json-object', text: stored }
}

/** No JSON begins so. */
const DATA_MARK = '='

const OPENING_BRACE = 0x7b

/** `null`: the bytes are no object, or it could not be kept as it stands. */
function objectIn(body: Buffer, depthMax: number): string | null {
  try {
    const text = readJsonObject(body, depthMax)
    return Buffer.from(text).equals(body) ? text : null
  } catch (error) {
    if (error instanceof PubSubError) return null
    throw error
  }
}
