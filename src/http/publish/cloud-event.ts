import { isUtf8 } from 'node:buffer'
import { readJson } from '../../publication/json-object.ts'
import { payloadText } from '../../publication/json-text.ts'
import { HttpError } from '../server/errors.ts'
import { isCalendarDay } from './calendar-day.ts'

/*
 * CloudEvents 1.0 (github.com/cloudevents/spec: spec.md, formats/json-format.md, bindings/http-protocol-binding.md). The
 * payload of one is the object of its JSON format, so a payload with `specversion`, `id`, `source` and `type` is one.
 */

/**
 * Returns the text of a JSON object if that is a CloudEvent in its JSON format.
 * @throws {BadCloudEventError}
 */
export function checkCloudEvent(text: string): string {
  const event = JSON.parse(text) as Readonly<Record<string, unknown>>
  for (const name of REQUIRED) if (event[name] == null) refuse(`the attribute ${name} is missing`)
  for (const [name, value] of Object.entries(event)) {
    if (name === 'data' || value === null) continue // null is absent
    if (name === 'data_base64') checkBase64(value, event['data'])
    else checkAttribute(name, value)
  }
  return text
}

/**
 * A CloudEvent of which the attributes are headers and the data is the body, in the JSON format.
 * @throws {BadCloudEventError}
 */
export function binaryCloudEvent(
  rawHeaders: readonly string[],
  body: Buffer,
  jsonDepthMax: number,
): string {
  const written = new Map<string, string>()
  let contentType: string | undefined
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const header = rawHeaders[i]!.toLowerCase()
    if (header === 'content-type') contentType ??= rawHeaders[i + 1]!
    if (!header.startsWith('ce-')) continue
    const name = header.slice(3)
    if (written.has(name)) refuse(`the header ce-${shownName(name)} is there twice`)
    if (name === 'datacontenttype') refuse('datacontenttype is the header Content-Type')
    if (name === 'data' || name === 'data_base64') refuse('data is the body, not a header')
    written.set(name, rawHeaders[i + 1]!)
  }
  const attributes = attributesIn(written)
  if (contentType !== undefined) attributes.set('datacontenttype', contentType)
  const members = JSON.stringify(Object.fromEntries(attributes)).slice(0, -1)
  const data = body.length === 0 ? '' : `, ${dataMember(contentType, body, jsonDepthMax)}`
  return checkCloudEvent(payloadText(`${members}${data}}`))
}

const REQUIRED = ['specversion', 'id', 'source', 'type']

function checkAttribute(name: string, value: unknown): void {
  const shown = shownName(name)
  if (!/^[a-z\d]+$/.test(name))
    refuse(`the attribute ${shown} has a name of other characters than a to z and 0 to 9`)
  const isString = typeof value === 'string'
  if (!isString && KNOWN.has(name)) refuse(`the attribute ${shown} is no string`)
  if (isString) {
    if (FORBIDDEN_CHARACTERS.test(value) || !value.isWellFormed())
      refuse(`the attribute ${shown} has a control character, or half of a surrogate pair`)
    if (value === '' && KNOWN.has(name)) refuse(`the attribute ${shown} is empty`)
    if (name === 'specversion' && value !== '1.0') refuse('specversion is not 1.0')
    if (name === 'time' && !isTimestamp(value)) refuse('time is no timestamp of RFC 3339')
    if (name === 'source' && !URI_REFERENCE.test(inAscii(value)))
      refuse('source is no URI reference')
    if (name === 'dataschema' && !URI.test(inAscii(value))) refuse('dataschema is no absolute URI')
    if (name === 'datacontenttype' && !MEDIA_TYPE.test(value))
      refuse('datacontenttype is no media type')
  } else if (typeof value !== 'boolean' && !isInt32(value))
    refuse(`the attribute ${shown} is no string, boolean or integer of 32 bits`)
}

const KNOWN: ReadonlySet<string> = new Set([
  ...REQUIRED,
  'datacontenttype',
  'dataschema',
  'subject',
  'time',
])

/** C0 and C1 (spec.md, "Type System"). */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const FORBIDDEN_CHARACTERS = /[\u0000-\u001f\u007f-\u009f]/
/** What may stand in a URI at all (RFC 3986 §2), an escape being whole. */
const URI_REFERENCE = /^(?:[\w\-.~:/?#[\]@!$&'()*+,;=]|%[\da-f]{2})+$/i
const URI = /^[a-z][a-z\d+.-]*:(?:[\w\-.~:/?#[\]@!$&'()*+,;=]|%[\da-f]{2})+$/i
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+\s*(?:;.*)?$/
const TIMESTAMP =
  /^(\d{4}-\d\d-\d\d)[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(?:\.\d+)?(?:[Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/

/** The URI of an IRI (RFC 3987 §3.1): a URI of Java, and so of sdk-java, holds letters of all scripts as they are. */
function inAscii(iri: string): string {
  return iri.replace(/[\u00a1-\uffff]+/g, encodeURIComponent)
}

function isTimestamp(text: string): boolean {
  const day = TIMESTAMP.exec(text)?.[1]
  return day !== undefined && isCalendarDay(day)
}

function isInt32(value: unknown): boolean {
  return typeof value === 'number' && (value | 0) === value
}

function checkBase64(value: unknown, data: unknown): void {
  if (data !== undefined) refuse('it has both data and data_base64')
  if (typeof value !== 'string' || value.length % 4 !== 0 || !BASE64.test(value))
    refuse('data_base64 is no base64 (RFC 4648 §4)')
}

const BASE64 = /^[A-Za-z\d+/]*={0,2}$/

/**
 * Percent-encoded once, as the binding says (http-protocol-binding.md §3.1.3.2), or as they stand: sdk-go and sdk-java encode
 * nothing, for which one character that they should have encoded is the proof. Whoever leaves out one leaves out all.
 * Held by `test/clients/sdk-go.test.ts`.
 */
function attributesIn(written: ReadonlyMap<string, string>): Map<string, string> {
  const all = [...written]
  const isEncoded =
    all.every(([, value]) => PERCENT_ENCODED.test(value)) &&
    !all.some(([name, value]) => hasEscapesOfUri(name, value))
  const read = isEncoded ? decoded : asItStands
  return new Map(all.map(([name, value]) => [name, read(name, value)]))
}

/** A URI that is none without its escapes: they are its own. */
function hasEscapesOfUri(name: string, value: string): boolean {
  const syntax = URIS.get(name)
  return syntax !== undefined && syntax.test(value) && !syntax.test(decoded(name, value))
}

/** Printing ASCII, in which each percent sign begins an escape. */
const PERCENT_ENCODED = /^(?:[ -$&-~]|%[\da-f]{2})*$/i

const URIS: ReadonlyMap<string, RegExp> = new Map([
  ['source', URI_REFERENCE],
  ['dataschema', URI],
])

/** First out of its quotes, which older versions of the binding had. What is no UTF-8 must be rejected, it says. */
function decoded(name: string, written: string): string {
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(written)
  const value = quoted === null ? written : quoted[1]!.replace(/\\(.)/g, '$1')
  try {
    return decodeURIComponent(value)
  } catch {
    return refuse(`the header ce-${shownName(name)} has a percent sign that escapes no UTF-8`)
  }
}

/** Node gives each byte as a character. The SDKs send UTF-8; what is none is ISO-8859-1, as it was in HTTP once. */
function asItStands(_name: string, written: string): string {
  const bytes = Buffer.from(written, 'latin1')
  return isUtf8(bytes) ? bytes.toString('utf8') : written
}

/** As JSON, as a string, or in base64, as the media type says (json-format.md §3.1). */
function dataMember(contentType: string | undefined, body: Buffer, jsonDepthMax: number): string {
  if (contentType !== undefined && JSON_TYPE.test(contentType))
    return `"data": ${readJson(body, jsonDepthMax - 1)}`
  if (contentType !== undefined && TEXT_TYPE.test(contentType) && isUtf8(body))
    return `"data": ${JSON.stringify(body.toString('utf8'))}`
  return `"data_base64": "${body.toString('base64')}"`
}

const JSON_TYPE = /^\s*[^\s/;]+\/(?:[^\s/;]+\+)?json\s*(?:;|$)/i
/** From a text in another encoding nobody could make the same bytes again. */
const TEXT_TYPE = /^\s*text\/[^\s/;]+\s*(?:;\s*charset\s*=\s*"?(?:utf-8|us-ascii)"?\s*)?$/i

function shownName(name: string): string {
  return JSON.stringify(name.slice(0, NAME_SHOWN_MAX)).slice(1, -1)
}

const NAME_SHOWN_MAX = 60

function refuse(message: string): never {
  throw new HttpError('BAD_CLOUD_EVENT', `not a CloudEvent of version 1.0: ${message}`)
}
