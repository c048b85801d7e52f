/** What a case saw on one connection, in order, with all that differs from run to run taken out. */
export type Observation = Answer | EventSeen | ControlSeen | Ending

export interface Answer {
  readonly status: number
  /** Lower-case names, without Date and Content-Length. */
  readonly headers: Readonly<Record<string, string>>
  /** `null`: a stream, whose lines follow. */
  readonly body: string | null
}

export interface EventSeen {
  /** The payload's own members in their order, in the spelling of json-text.ts. */
  readonly event: string
  readonly topics: unknown
  readonly path: unknown
  /** Absent: a newline. */
  readonly terminator?: string
  readonly faults?: readonly string[]
}

/** A line without `pubsub_topics`. */
export interface ControlSeen {
  /** Its members, e.g. `stillalive` or `stillalive gap`. */
  readonly control: string
  /** Since the keep-alive before, where the case awaited that. */
  readonly gap?: string
  readonly terminator?: string
  readonly faults?: readonly string[]
}

/** `last chunk`: the stream's clean end. `cut`: closed inside an answer or a stream. */
export interface Ending {
  readonly end: 'closed' | 'last chunk' | 'cut' | 'silence'
}

/** An observation as a case writes it down for us; a pattern where the text is free. */
export type Expected = EventSeen | ControlSeen | Ending | ExpectedAnswer

export interface ExpectedAnswer {
  readonly status: number
  readonly contentType?: string
  readonly body: string | RegExp | null
  /** Absent: a stream is, an answer is not. */
  readonly isChunked?: boolean
}

export type Transcript = Readonly<Record<string, readonly Observation[]>>
