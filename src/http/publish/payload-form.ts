import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { LimitExceededError, NotJsonError, PubSubError } from '../../publication/errors.ts'
import { arrayElements } from '../../publication/array-elements.ts'
import { readJsonObject } from '../../publication/json-object.ts'
import type { HttpLimits } from '../server/door.ts'
import { HttpError, payloadTooLarge } from '../server/errors.ts'
import type { BodyLimit } from './body.ts'
import { binaryCloudEvent, checkCloudEvent } from './cloud-event.ts'
import { ThreadSlice } from '../server/thread-slice.ts'

/** What a body holds, and how payloads are read from it. */
export interface PayloadForm {
  limit(limits: HttpLimits): BodyLimit
  /**
   * The payloads, at least one. Of a batch bit by bit, as 8 MiB in one go would keep everybody for 0.7 s.
   * @throws {PubSubError} the first thing that is wrong; of a batch, which line or element it is.
   */
  read(body: Buffer, limits: HttpLimits): string[] | Promise<string[]>
}

/** The media type decides; whatever we do not know is one JSON object, as in PyPubSub. */
export function payloadFormOf({
  headers,
  rawHeaders,
}: Pick<IncomingMessage, 'headers' | 'rawHeaders'>): PayloadForm {
  const type = mediaType(headers['content-type'] ?? '')
  // In this order: a CloudEvent in headers may have data of any other type, lines too.
  if (type.startsWith('application/cloudevents')) return cloudEventForms.get(type) ?? refuseFormat()
  if (hasCloudEventHeader(headers)) return binary(rawHeaders)
  return LINE_TYPES.has(type) ? lines : objectOf(type)
}

/** Whether a body holds many, and is therefore read bit by bit. */
export function isBatch({ 'content-type': contentType = '' }: IncomingHttpHeaders): boolean {
  const type = mediaType(contentType)
  return LINE_TYPES.has(type) || type === 'application/cloudevents-batch+json'
}

function mediaType(contentType: string): string {
  return contentType.split(';', 1)[0]!.trim().toLowerCase()
}

/** One JSON object, whatever its type: only what is none is asked whether its type says why. */
function objectOf(type: string): PayloadForm {
  return {
    limit: payloadLimit,
    read(body, { jsonDepthMax }) {
      try {
        return [readJsonObject(body, jsonDepthMax)]
      } catch (error) {
        throw error instanceof NotJsonError && isOfItsType(body, type) ? unknownType(type) : error
      }
    },
  }
}

/**
 * Whether a body that is no JSON is so because it is what its type says. JSON that is broken is often sent without a type of
 * its own: curl's is that of a form.
 */
function isOfItsType(body: Buffer, type: string): boolean {
  if (body.length === 0 || TYPES_OF_JSON.test(type) || !MEDIA_TYPE.test(type)) return false
  return type !== 'application/x-www-form-urlencoded' || isForm(body)
}

/** Types that say JSON, or nothing. */
const TYPES_OF_JSON =
  /^(?:(?:application|text)\/json|[^/]+\/[^/]+\+json|text\/plain|application\/octet-stream)$/

const MEDIA_TYPE = /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}$/

/** It begins with names as no JSON does, and has an equals sign behind one, or an escape in it. */
function isForm(body: Buffer): boolean {
  return FORM.test(body.toString('latin1', 0, FORM_NAMES_BYTES_MAX))
}

const FORM = /^[^\s{}[\]"'=&][^\s{}"'=]*(?:=|%[\da-f]{2})/i
const FORM_NAMES_BYTES_MAX = 256

function unknownType(type: string): HttpError {
  return new HttpError(
    'UNKNOWN_TYPE',
    `the body is no JSON but ${type}, which is not known here (Content-Type)`,
  )
}

/** One object on each line. */
const lines: PayloadForm = {
  limit: batchLimit,
  async read(body, limits) {
    const payloads: string[] = []
    const slice = new ThreadSlice()
    const end = contentEnd(body)
    for (let start = 0; start < end;) {
      if (slice.isOver) await slice.next()
      const newline = body.indexOf(LF, start)
      const lineEnd = newline === -1 ? end : Math.min(newline, end)
      refuseTooMany(payloads.length + 1, limits)
      payloads.push(
        readPart(`line ${payloads.length + 1}`, () =>
          readLine(withoutReturn(body.subarray(start, lineEnd)), limits),
        ),
      )
      start = lineEnd + 1
    }
    refuseEmpty(payloads.length)
    return payloads
  },
}

const structured: PayloadForm = {
  limit: payloadLimit,
  read: (body, { jsonDepthMax }) => [checkCloudEvent(readJsonObject(body, jsonDepthMax))],
}

/** A JSON array of them. */
const structuredBatch: PayloadForm = {
  limit: batchLimit,
  async read(body, limits) {
    const elements = arrayElements(body)
    if (elements === null) throw new HttpError('BAD_CLOUD_EVENT', 'a batch is a JSON array')
    const payloads: string[] = []
    const slice = new ThreadSlice()
    for (const element of elements) {
      if (slice.isOver) await slice.next()
      refuseTooMany(payloads.length + 1, limits)
      payloads.push(
        readPart(`event ${payloads.length + 1}`, () => checkCloudEvent(readLine(element, limits))),
      )
    }
    refuseEmpty(payloads.length)
    return payloads
  },
}

function binary(rawHeaders: readonly string[]): PayloadForm {
  return {
    limit: payloadLimit,
    read: (body, { jsonDepthMax }) => [binaryCloudEvent(rawHeaders, body, jsonDepthMax)],
  }
}

const LINE_TYPES: ReadonlySet<string> = new Set([
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
])

const cloudEventForms: ReadonlyMap<string, PayloadForm> = new Map([
  ['application/cloudevents+json', structured],
  ['application/cloudevents-batch+json', structuredBatch],
])

/** Media types that are not taken for one JSON object. */
export const PAYLOAD_TYPES: readonly string[] = [...LINE_TYPES, ...cloudEventForms.keys()]

function refuseFormat(): never {
  throw new HttpError(
    'BAD_CLOUD_EVENT',
    `of the formats of CloudEvents, only ${[...cloudEventForms.keys()].join(' and ')} are known here`,
  )
}

/** Any of the required ones: whoever leaves one out is told. */
function hasCloudEventHeader(headers: IncomingHttpHeaders): boolean {
  return (
    headers['ce-specversion'] !== undefined ||
    headers['ce-id'] !== undefined ||
    headers['ce-type'] !== undefined ||
    headers['ce-source'] !== undefined
  )
}

function payloadLimit({ payloadBytesMax }: HttpLimits): BodyLimit {
  return { bytesMax: payloadBytesMax, tooLarge: () => payloadTooLarge(payloadBytesMax) }
}

function batchLimit({ batchBytesMax }: HttpLimits): BodyLimit {
  const tooLarge = () =>
    new LimitExceededError(
      `the batch exceeds the limit of ${batchBytesMax} bytes (limits.batch_bytes)`,
    )
  return { bytesMax: batchBytesMax, tooLarge }
}

/** Behind the last character that is no line break or blank: blank lines are allowed at the end. */
function contentEnd(body: Buffer): number {
  let end = body.length
  while (end > 0 && isBlank(body[end - 1]!)) end--
  return end
}

function isBlank(byte: number): boolean {
  return byte === LF || byte === CR || byte === SPACE || byte === TAB
}

/** A carriage return before the line feed is part of the line break, and counts for no limit. */
function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === CR ? line.subarray(0, -1) : line
}

function readLine(line: Buffer, { payloadBytesMax, jsonDepthMax }: HttpLimits): string {
  if (line.length > payloadBytesMax) throw payloadTooLarge(payloadBytesMax)
  if (line.every(isBlank)) throw new HttpError('BAD_BATCH', 'it is blank')
  return readJsonObject(line, jsonDepthMax)
}

function readPart(name: string, read: () => string): string {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof PubSubError)) throw error
    throw new HttpError('BAD_BATCH', `${name}: ${error.message}`, { cause: error })
  }
}

function refuseTooMany(count: number, { batchEventsMax }: HttpLimits): void {
  if (count > batchEventsMax)
    throw new LimitExceededError(
      `the batch has more than ${batchEventsMax} events, which is the limit (limits.batch_events)`,
    )
}

function refuseEmpty(count: number): void {
  if (count === 0) throw new HttpError('BAD_BATCH', 'the batch has no events')
}

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const TAB = 0x09
