/** What was sent and seen while a server was being broken, each event by its number; no number is published twice. */
export interface History {
  readonly publishers: readonly PublisherRecord[]
  readonly readers: readonly ReaderRecord[]
  /** Everything a full replay showed at the end, in its order. */
  readonly log: readonly LoggedEvent[]
}

export interface PublisherRecord {
  readonly name: string
  /** In the order of sending: each was sent after the one before was answered, or its connection broken. */
  readonly publications: readonly PublicationRecord[]
}

export interface PublicationRecord {
  readonly number: number
  readonly topics: readonly string[]
  readonly outcome: Outcome
}

export type Outcome =
  /** A 202, with the event's cursor. */
  | { readonly type: 'accepted'; readonly cursor: string }
  /** An answer that says that nothing was stored, or no connection in the first place. */
  | { readonly type: 'refused' }
  /** The connection broke before an answer came. */
  | { readonly type: 'unknown' }

export interface LoggedEvent {
  readonly number: number
  readonly cursor: string
  readonly topics: readonly string[]
}

export interface ReaderRecord {
  readonly name: string
  /** Any of these, and all topics of one, as in a subscription. */
  readonly wants: readonly (readonly string[])[]
  readonly streams: readonly StreamRecord[]
}

/** One connection of a reader, from its request to its end. */
export interface StreamRecord {
  /** Replay of everything, or of what follows the event with this number, whose cursor (or a later one) was sent. */
  readonly from: 'start' | { readonly after: number }
  readonly lines: readonly StreamLine[]
  /** It was open until everything had been delivered: nothing may be missing at its end. */
  readonly isComplete: boolean
}

export type StreamLine =
  | { readonly type: 'event'; readonly number: number; readonly cursor: string }
  /** The server said that continuity broke here. */
  | { readonly type: 'gap' }

export type Rule =
  /** A 202 was given for an event that is not in the log. */
  | 'lost'
  /** One event is in the log more than once. */
  | 'duplicated'
  /** The log holds the events of one publisher in another order than they were sent. */
  | 'reordered'
  /** The answer to the publisher, a reader and the log do not name the same cursor, or two events share one. */
  | 'wrong cursor'
  /** The log holds something that nobody sent, or that was refused. */
  | 'made up'
  /** A reader saw an event that is not in the log. */
  | 'vanished'
  /** A reader was not shown an event of its topics, and not told of a gap. */
  | 'missed'
  | 'seen twice'
  /** A reader saw events in another order than that of the log, and so than other readers. */
  | 'seen out of order'
  /** A reader was shown an event that is not of its topics. */
  | 'not wanted'

export interface Fault {
  readonly rule: Rule
  /** Which event, and who noticed. */
  readonly text: string
}

/** Every way in which a history breaks what is promised; none: it keeps the promise. */
export function check(history: History): Fault[] {
  const faults: Fault[] = []
  const report = (rule: Rule, text: string) => faults.push({ rule, text })
  const places = placesOf(history.log, report)
  const sent = new Map<number, PublicationRecord>()
  for (const publisher of history.publishers) {
    for (const publication of publisher.publications) sent.set(publication.number, publication)
    checkPublisher(publisher, history.log, places, report)
  }
  for (const event of history.log) checkOrigin(event, sent.get(event.number), report)
  for (const reader of history.readers) checkReader(reader, history.log, places, report)
  return faults
}

type Report = (rule: Rule, text: string) => void

/** Where in the log an event is, by its number. */
type Places = ReadonlyMap<number, number>

function placesOf(log: readonly LoggedEvent[], report: Report): Places {
  const places = new Map<number, number>()
  const cursors = new Map<string, number>()
  for (const [place, { number, cursor }] of log.entries()) {
    const first = places.get(number)
    if (first === undefined) places.set(number, place)
    else report('duplicated', `event ${number} is in the log at ${first} and at ${place}`)
    const other = cursors.get(cursor)
    if (other !== undefined && other !== number)
      report('wrong cursor', `events ${other} and ${number} both have the cursor ${cursor}`)
    cursors.set(cursor, number)
  }
  return places
}

function checkPublisher(
  { name, publications }: PublisherRecord,
  log: readonly LoggedEvent[],
  places: Places,
  report: Report,
): void {
  // What was sent after a 202 comes behind that event. One without an answer may still be under way when the next
  // connection overtakes it, so nothing is held against it.
  let lastAccepted = { number: -1, place: -1 }
  for (const { number, outcome } of publications) {
    const place = places.get(number)
    if (place === undefined) {
      if (outcome.type === 'accepted') report('lost', `${name} got a 202 for event ${number}`)
      continue
    }
    if (place < lastAccepted.place)
      report('reordered', `${name} sent event ${number} after the 202 for ${lastAccepted.number}`)
    if (outcome.type === 'refused') report('made up', `${name} was refused event ${number}`)
    if (outcome.type !== 'accepted') continue
    const { cursor } = log[place]!
    if (outcome.cursor !== cursor)
      report('wrong cursor', `${name} got ${outcome.cursor} for event ${number}, the log ${cursor}`)
    if (place > lastAccepted.place) lastAccepted = { number, place }
  }
}

function checkOrigin(
  event: LoggedEvent,
  sent: PublicationRecord | undefined,
  report: Report,
): void {
  if (sent === undefined) report('made up', `nobody sent event ${event.number}`)
  else if (sent.topics.join('/') !== event.topics.join('/'))
    report('made up', `event ${event.number} was sent to ${sent.topics.join('/')}`)
}

function checkReader(
  { name, wants, streams }: ReaderRecord,
  log: readonly LoggedEvent[],
  places: Places,
  report: Report,
): void {
  // What it is due, in order; an event of the log that stands there twice is due once.
  const due = log.filter(
    ({ number, topics }, place) => places.get(number) === place && isWanted(topics, wants),
  )
  const ranks = new Map(due.map(({ number }, rank) => [number, rank]))

  for (const [index, { from, lines, isComplete }] of streams.entries()) {
    const where = `${name}, stream ${index}`
    let next: number | null = 0
    if (from !== 'start') {
      const rank = ranks.get(from.after)
      if (rank === undefined) report('vanished', `${where}: resumed after event ${from.after}`)
      next = rank === undefined ? null : rank + 1
    }
    const first = next ?? 0
    const seen = new Set<number>()
    let gapTold = false
    for (const line of lines) {
      if (line.type === 'gap') {
        gapTold = true
        continue
      }
      const { number, cursor } = line
      const place = places.get(number)
      const rank = ranks.get(number)
      if (place === undefined) report('vanished', `${where}: saw event ${number}`)
      else if (rank === undefined) report('not wanted', `${where}: saw event ${number}`)
      else {
        if (log[place]!.cursor !== cursor)
          report('wrong cursor', `${where}: event ${number} came with ${cursor}`)
        if (seen.has(number) || rank < first) report('seen twice', `${where}: event ${number}`)
        else if (next !== null && rank < next)
          report('seen out of order', `${where}: event ${number} came late`)
        else if (next !== null && rank > next && !gapTold)
          report('missed', `${where}: ${range(due, next, rank)}, before ${number}`)
        next = Math.max(next ?? 0, rank + 1)
        gapTold = false
      }
      seen.add(number)
    }
    next ??= due.length // It never had a place.
    if (isComplete && next < due.length && !gapTold)
      report('missed', `${where}: ${range(due, next, due.length)}, at the end`)
  }
}

function isWanted(topics: readonly string[], wants: ReaderRecord['wants']): boolean {
  return wants.some((filter) => filter.every((topic) => topics.includes(topic)))
}

function range(due: readonly LoggedEvent[], from: number, to: number): string {
  const count = to - from
  return count === 1 ? `event ${due[from]!.number}` : `${count} events from ${due[from]!.number} on`
}
