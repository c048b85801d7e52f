import type { ControlSeen, Ending, EventSeen, Expected, Observation } from './observation.ts'

/** What of an observation is compared. */
export type Compared =
  | EventSeen
  | ControlSeen
  | Ending
  | {
      readonly status: number
      readonly contentType: string | undefined
      readonly isChunked: boolean
      readonly body: string | RegExp | null
      /** X-Subscribers and X-Requests, where they are known. */
      readonly counts?: readonly (string | undefined)[]
    }

/** What a transcript or a deviation asks of us. The original's faults, such as the order of its members, it does not. */
export function asked(observation: Observation | Expected, options: { counts: boolean }): Compared {
  if (!('status' in observation)) return withoutFaults(observation)
  if ('headers' in observation) return compared(observation, options)
  const { status, contentType, body, isChunked = body === null } = observation
  return { status, contentType, isChunked, body }
}

/** What we showed, in the form in which it was asked. A text that fits the pattern asked for counts as the pattern. */
export function shown(observation: Observation, ask: Compared | undefined): Compared {
  if (!('status' in observation)) return observation
  const answer = compared(observation, { counts: ask !== undefined && 'counts' in ask })
  const pattern = ask && 'body' in ask ? ask.body : null
  const fits = pattern instanceof RegExp && pattern.test(observation.body ?? '')
  return fits ? { ...answer, body: pattern } : answer
}

function compared(
  answer: Extract<Observation, { status: number }>,
  { counts }: { counts: boolean },
) {
  const { status, headers, body } = answer
  return {
    status,
    contentType: headers['content-type'],
    isChunked: headers['transfer-encoding'] === 'chunked',
    body,
    ...(counts && { counts: [headers['x-subscribers'], headers['x-requests']] }),
  }
}

function withoutFaults(observation: EventSeen | ControlSeen | Ending) {
  if ('end' in observation) return observation
  const { faults: _, ...faultless } = observation
  return faultless
}
