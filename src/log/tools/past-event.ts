import type { Publication } from '../../publication/publication.ts'
import { isDeeperThan } from '../../publication/json-text.ts'

/** An event that another log has held, with the time it had there. */
export interface PastEvent extends Publication {
  readonly publishedAtMs: number
}

/** A line of a file holds no event. The message says why, and nothing of what the line holds. */
export class BrokenLineError extends Error {}

/** @throws {BrokenLineError} the text is no JSON object. */
export function checkJsonObject(text: string): void {
  if (isDeeperThan(DEPTH_MAX, text)) throw new BrokenLineError(`nested deeper than ${DEPTH_MAX}`)
  try {
    JSON.parse(text)
  } catch {
    throw new BrokenLineError('not valid JSON')
  }
  if (!text.startsWith('{')) throw new BrokenLineError('not a JSON object')
}

/** The highest that `limits.json_depth` can be, and one for the line around the event. */
const DEPTH_MAX = 5_001

/**
 * Topics or a path as text of JSON.
 * @throws {BrokenLineError} not a list of topics.
 */
export function readTopics(json: string): string[] {
  const topics: unknown = JSON.parse(json)
  if (!Array.isArray(topics) || !topics.every((topic) => typeof topic === 'string'))
    throw new BrokenLineError('its topics are not a list of texts')
  if (!topics.every((topic) => topic.isWellFormed()))
    throw new BrokenLineError('its topics are not valid Unicode')
  return topics
}

/** @throws {BrokenLineError} no such path can have been published to. */
export function checkPath(path: string): string {
  if (!path.isWellFormed()) throw new BrokenLineError('its path is not valid Unicode')
  return path
}

/**
 * Seconds as text of JSON, in ms. Rounded up: who asks again with the time of an event, which may have been more precise,
 * gets that event.
 * @throws {BrokenLineError} no time.
 */
export function readTime(json: string): number {
  const seconds: unknown = JSON.parse(json)
  if (typeof seconds !== 'number' || !(seconds > 0 && seconds < SECONDS_MAX))
    throw new BrokenLineError('its timestamp is not a time')
  const ms = Math.round(seconds * 1e3) // `Math.ceil` of a product that is a little too high would be one too many
  return ms / 1e3 >= seconds ? ms : ms + 1
}

/** The year 2255: whatever is later was given in another unit. */
const SECONDS_MAX = 9e9

/** Whether a path makes an event published there private. */
export function isPrivatePath(path: string): boolean {
  return /^\/*private(?:\/|$)/.test(path)
}
