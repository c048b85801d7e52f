import { EnvelopeTooLargeError } from './errors.ts'

declare const envelopeBrand: unique symbol
declare const tagsBrand: unique symbol

/**
 * What a door needs to give back exactly what was published: kept with the event, and meant for that door alone. Only `openedBy` gives
 * the bytes, so a door that makes bytes of an event cannot pass another one's on by mistake.
 */
export interface Envelope {
  readonly [envelopeBrand]: true
}

export interface EnvelopeContents {
  /** The name of the door that made it, and may open it. */
  readonly door: string
  readonly bytes: Uint8Array
}

/** Small facts about a publication for other parts of the server, by name, such as the context of a trace. No subscriber is shown them. */
export interface Tags extends Readonly<Record<string, string>> {
  readonly [tagsBrand]: true
}

/**
 * Bytes and the name of the door. It is for what the payload cannot say: 65,535 packets of jetblack with three entitlements each take
 * 0.9 MiB (test/protocols/jetblack/publication.test.ts).
 */
export const ENVELOPE_BYTES_MAX = 4_194_304

/** As JSON. A trace context has at most some 600 (W3C Trace Context: `traceparent` 55, `tracestate` 512). */
export const TAGS_BYTES_MAX = 1_024

/** Copies the bytes. @throws {EnvelopeTooLargeError} it is larger than `ENVELOPE_BYTES_MAX`. */
export function sealed({ door, bytes }: EnvelopeContents): Envelope {
  const size = bytes.length + door.length
  if (size > ENVELOPE_BYTES_MAX)
    throw new EnvelopeTooLargeError(
      `what belongs to the message beside its payload is ${size} bytes, the limit is ${ENVELOPE_BYTES_MAX}`,
    )
  // A buffer of its own: a part of a larger one would go from thread to thread with all of that.
  const contents: EnvelopeContents = { door, bytes: Uint8Array.from(bytes) }
  return contents as unknown as Envelope
}

/** `null`: it has no envelope, or that of another door. */
export function openedBy(
  door: string,
  { envelope }: { readonly envelope?: Envelope },
): Uint8Array | null {
  if (envelope === undefined) return null
  const contents = contentsOf(envelope)
  return contents.door === door ? contents.bytes : null
}

/** For storage: doors ask `openedBy` (test/architecture.test.ts). */
export function contentsOf(envelope: Envelope): EnvelopeContents {
  return envelope as unknown as EnvelopeContents
}

/** @throws {EnvelopeTooLargeError} they are larger than `TAGS_BYTES_MAX`. */
export function tagsOf(values: Readonly<Record<string, string>>): Tags {
  const size = Buffer.byteLength(JSON.stringify(values))
  if (size > TAGS_BYTES_MAX)
    throw new EnvelopeTooLargeError(`the tags are ${size} bytes, the limit is ${TAGS_BYTES_MAX}`)
  return values as Tags
}

/** What they take beside payload and path, in bytes, roughly. */
export function sizeBesidePayload({
  envelope,
  tags,
}: {
  readonly envelope?: Envelope
  readonly tags?: Tags
}): number {
  return (
    (envelope === undefined ? 0 : contentsOf(envelope).bytes.length) +
    (tags === undefined ? 0 : TAGS_BYTES_MAX)
  )
}
