import type { EventLine } from './event-lines.ts'

/** How much a store keeps, and which setting says so. */
export interface KeptLimits {
  readonly eventsMax: number
  /** 0: no limit. */
  readonly maxAgeMs: number
  readonly bytesMax: number
}

export interface ImportForecast {
  readonly events: number
  /** The newest of them, which retention leaves. */
  readonly kept: number
  /** What drops the others; `null`: none is. */
  readonly because: string | null
}

/** What would be left of the events of a file once they are imported. */
export async function forecastImport(
  lines: AsyncIterable<EventLine>,
  { eventsMax, maxAgeMs, bytesMax }: KeptLimits,
  nowMs: number,
): Promise<ImportForecast> {
  const times: number[] = []
  const sizes: number[] = []
  let lastMs = 0
  for await (const line of lines) {
    if ('problem' in line) continue
    const { publishedAtMs, payload, path, topics } = line.event
    lastMs = Math.max(lastMs, Math.min(publishedAtMs, nowMs))
    times.push(lastMs)
    sizes.push(payload.text.length + path.length + 2 * JSON.stringify(topics).length + ROW_BYTES)
  }
  const events = times.length
  let bytes = 0
  for (let kept = 0; kept < events; kept++) {
    const at = events - 1 - kept
    bytes += sizes[at]!
    const because =
      kept >= eventsMax
        ? 'server.backlog.size'
        : maxAgeMs > 0 && times[at]! < nowMs - maxAgeMs
          ? 'server.backlog.max_age'
          : bytes > bytesMax
            ? 'server.backlog.max_bytes'
            : null
    if (because !== null) return { events, kept, because }
  }
  return { events, kept: events, because: null }
}

/** `null`: all of it is kept. */
export function describeForecast({ events, kept, because }: ImportForecast): string | null {
  if (because === null) return null
  return kept === 0
    ? `nothing is imported: by ${because} the store would drop all of the ${events} events at once. Raise it, and begin again`
    : `of ${events} events the store keeps the newest ${kept} (${because}); it will drop the others at once`
}

/** As the store counts. */
const ROW_BYTES = 40
