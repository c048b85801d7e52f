/** What a line of a stream is (docs/streams.md, "What a client knows after each line"). */
export type StreamLine =
  | {
      readonly type: 'event'
      readonly topics: readonly string[]
      readonly path: string
      readonly cursor: string | null
      /** When it was published, in seconds since the Unix epoch. */
      readonly timestamp: number | null
    }
  | { readonly type: 'opened'; readonly cursor: string }
  | { readonly type: 'alive'; readonly cursor: string | null }
  | { readonly type: 'gap'; readonly reason: string; readonly cursor: string | null }
  | {
      readonly type: 'closing'
      readonly reason: string
      readonly cursor: string | null
      readonly retryAfterMs: number
    }

/** `null`: it is nothing that a stream of events has. A line without `pubsub_topics` is a control line. */
export function parseStreamLine(text: string): StreamLine | null {
  const line = objectIn(text)
  if (line === null) return null
  const topics = line['pubsub_topics']
  if (Array.isArray(topics))
    return {
      type: 'event',
      topics: topics.map(String),
      path: textIn(line, 'pubsub_path') ?? '',
      cursor: textIn(line, 'pubsub_cursor'),
      timestamp: numberIn(line, 'pubsub_timestamp'),
    }
  if (!('stillalive' in line)) return null
  const { opened, gap, closing } = line
  const openedAt = isObject(opened) ? textIn(opened, 'cursor') : null
  if (openedAt !== null) return { type: 'opened', cursor: openedAt }
  if (isObject(gap))
    return {
      type: 'gap',
      reason: textIn(gap, 'reason') ?? 'unknown',
      cursor: textIn(gap, 'resumes_at'),
    }
  if (isObject(closing)) {
    return {
      type: 'closing',
      reason: textIn(closing, 'reason') ?? 'unknown',
      cursor: textIn(closing, 'cursor'),
      retryAfterMs: Math.max(0, numberIn(closing, 'retry_after_ms') ?? 0),
    }
  }
  return { type: 'alive', cursor: textIn(line, 'cursor') }
}

type JsonObject = Readonly<Record<string, unknown>>

function objectIn(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An empty one is none. */
function textIn(line: JsonObject, name: string): string | null {
  const value = line[name]
  return typeof value === 'string' && value !== '' ? value : null
}

function numberIn(line: JsonObject, name: string): number | null {
  const value = line[name]
  return typeof value === 'number' ? value : null
}
