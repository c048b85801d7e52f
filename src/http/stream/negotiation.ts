import type { IncomingMessage } from 'node:http'
import { preferredType } from '../server/media-ranges.ts'
import { cloudEventText } from './cloud-event-text.ts'
import { CHUNKED, UNCHUNKED, type Framing } from './framing.ts'
import { NdjsonEncoding } from './ndjson-encoding.ts'
import { PypubsubEncoding } from './pypubsub-encoding.ts'
import { SseEncoding } from './sse-encoding.ts'
import type { StreamEncoding } from './stream-encoding.ts'

/**
 * The form that a GET asks for by its `Accept`; PyPubSub's where it names none of ours, as PyPubSub does not look at it.
 * `oldSchoolers`: parts of the User-Agent of clients that expect a NUL after every newline. `knowsAdditions`: see `PypubsubVariant`.
 */
export function encodingFor(
  request: IncomingMessage,
  oldSchoolers: readonly string[],
  knowsAdditions: boolean,
): StreamEncoding {
  const forms = request.httpVersionMinor > 0 ? chunkedForms : unchunkedForms
  const userAgent = request.headers['user-agent'] ?? ''
  const isOldSchool = oldSchoolers.some((part) => userAgent.includes(part))
  const pypubsub = forms.pypubsub.find(
    ({ variant }) => variant.isOldSchool === isOldSchool && variant.hasAdditions === knowsAdditions,
  )!
  // An absent or unreadable header asks for nothing.
  if (!request.headers.accept?.includes('/')) return pypubsub
  const wanted = preferredType(request.headers.accept, [pypubsub.contentType, ...forms.ours.keys()])
  return forms.ours.get(wanted ?? '') ?? pypubsub
}

/**
 * Whether a GET is a browser's navigation, by what https://fetch.spec.whatwg.org has them send: both types of web pages are
 * named (Java's default `Accept` has only the first), and none of our forms is wanted more.
 */
export function prefersPage({ headers }: IncomingMessage): boolean {
  const { accept } = headers
  if (!accept?.includes(HTML) || !accept.includes('application/xhtml+xml')) return false
  return preferredType(accept, [HTML, ...chunkedForms.ours.keys()]) === HTML
}

const HTML = 'text/html'

interface Forms {
  /** Each variant. */
  readonly pypubsub: readonly PypubsubEncoding[]
  readonly ours: ReadonlyMap<string, StreamEncoding>
}

/** One of each form, as only those who have the same one share their bytes. */
function formsOf(framing: Framing): Forms {
  const ours = [
    new NdjsonEncoding(framing),
    new NdjsonEncoding(framing, 'application/jsonl'),
    new NdjsonEncoding(framing, 'application/ndjson'),
    new SseEncoding(framing),
    new NdjsonEncoding(framing, 'application/cloudevents+json', cloudEventText),
  ]
  return {
    pypubsub: [false, true].flatMap((isOldSchool) =>
      [false, true].map(
        (hasAdditions) => new PypubsubEncoding(framing, { isOldSchool, hasAdditions }),
      ),
    ),
    ours: new Map(ours.map((form) => [form.contentType, form])),
  }
}

const chunkedForms = formsOf(CHUNKED)
const unchunkedForms = formsOf(UNCHUNKED)

/** The media types of streams, PyPubSub's first. */
export const STREAM_TYPES: readonly string[] = [
  chunkedForms.pypubsub[0]!.contentType,
  ...chunkedForms.ours.keys(),
]
