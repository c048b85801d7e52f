import { crc32 } from 'node:zlib'
import type { Random } from './random.ts'

/** The body of a publication: its number, and a filling by which every changed byte is noticed. */
export function bodyOf(number: number, random: Random, fillLength = someLength(random)): string {
  const fill = randomText(random, fillLength)
  return JSON.stringify({ n: number, sum: crc32(fill), fill })
}

/** An event as a stream shows it. */
export interface ShownEvent {
  readonly number: number
  readonly cursor: string
  readonly topics: readonly string[]
}

export type Line =
  | ({ readonly type: 'event' } & ShownEvent)
  | { readonly type: 'gap' }
  | { readonly type: 'closing'; readonly reason: string; readonly cursor: string }
  | { readonly type: 'keep-alive' }

/** The number of a line that is not what anybody published: the checker finds it in no publisher's record. */
const GARBLED = -1

export function readLine(text: string): Line {
  let line: Record<string, unknown>
  try {
    line = JSON.parse(text)
  } catch {
    return { type: 'event', number: GARBLED, cursor: text.slice(0, 100), topics: [] }
  }
  const topics = line['pubsub_topics'] as string[] | undefined
  if (topics !== undefined) {
    const { n, sum, fill, pubsub_cursor: cursor } = line
    const isWhole = typeof fill === 'string' && crc32(fill) === sum
    return { type: 'event', number: isWhole ? Number(n) : GARBLED, cursor: String(cursor), topics }
  }
  if ('gap' in line) return { type: 'gap' }
  if ('closing' in line)
    return { type: 'closing', ...(line['closing'] as { reason: string; cursor: string }) }
  return { type: 'keep-alive' }
}

/** Mostly that of a commit notice; sometimes an event spans many pages of a store. */
function someLength(random: Random): number {
  return random.between(10, random.chance(0.01) ? 60_000 : 400)
}

function randomText(random: Random, length: number): string {
  const part = random.between(0, 2 ** 31).toString(36)
  return part.repeat(Math.ceil(length / part.length)).slice(0, length)
}
