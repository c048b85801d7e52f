import { isUtf8 } from 'node:buffer'
import { LimitExceededError, NotAnObjectError, NotJsonError } from './errors.ts'
import { isDeeperThan, payloadText } from './json-text.ts'

/**
 * The text of the JSON object that a request body holds, as `Payload` wants it: one line from `{` to `}`, everything in
 * the words of the publisher, without top-level members of the server's own names.
 *
 * `JSON.parse` is the judge of what is JSON. The value it makes is dropped: it has lost big integers, `1.0`, `1e400` and
 * repeated members. A validator of our own over the bytes was measured and ruled out: 0.70 µs instead of 0.74 for 100
 * bytes, 0.51 ms instead of 0.63 for 100 KB, for a hundred lines more. The worst 100 KB found (a chain of objects with a
 * new name on each level, or 8,000 objects with a name of their own each) cost 5 to 9 ms; names that might collide, as
 * multiples of powers of two, nothing out of the ordinary.
 * @throws {NotJsonError | LimitExceededError | NotAnObjectError}
 */
export function readJsonObject(body: Buffer, depthMax: number): string {
  const text = readJson(body, depthMax)
  if (text.charCodeAt(0) !== OPENING_BRACE) throw new NotAnObjectError()
  return payloadText(text)
}

/**
 * The text of any JSON value, without the white space around it.
 * @throws {NotJsonError | LimitExceededError}
 */
export function readJson(body: Buffer, depthMax: number): string {
  if (!isUtf8(body)) throw new NotJsonError('payload is not valid UTF-8')
  // Keeps a byte order mark, which JSON.parse then refuses; a TextDecoder would drop it silently.
  const whole = body.toString('utf8')
  // Before JSON.parse, which survives any depth, but pays 9 ms and 35 MB for 20,000 levels.
  if (isDeeperThan(depthMax, whole))
    throw new LimitExceededError(
      `payload is nested deeper than the limit of ${depthMax} levels (limits.json_depth)`,
    )
  validate(whole)
  return whole.trim()
}

const OPENING_BRACE = 0x7b

function validate(text: string): void {
  try {
    JSON.parse(text)
  } catch (cause) {
    throw new NotJsonError('payload is not valid JSON', { cause })
  }
}
