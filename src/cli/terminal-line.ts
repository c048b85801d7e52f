import { harmlessJson, parseExactly, payloadOf, type ListenedEvent } from './event-format.ts'

/** An event as one line for people: `12:30:07 fruits/apples  text="…" size=3`. `isColoured`: with SGR sequences of ECMA-48. */
export function terminalLine(event: ListenedEvent, isColoured: boolean): string {
  const { topics, timestamp, text } = event
  const colour = (code: string, written: string) =>
    isColoured ? `\u001b[${code}m${written}\u001b[0m` : written
  const time = new Date((timestamp ?? NaN) * 1_000)
  const shownTime = Number.isNaN(time.getTime()) ? '' : `${timeOfDay(time)} `
  const place = escaped(topics.join('/'))
  const members = Object.entries(parseExactly(payloadOf(text))).map(
    ([name, value]) => `${colour(NAME, escaped(name))}=${escaped(JSON.stringify(value))}`,
  )
  return `${colour(TIME, shownTime)}${colour(PLACE, place)}  ${members.join(' ')}\n`
}

/** Where whoever reads it is. */
function timeOfDay(time: Date): string {
  return [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':')
}

/** Nothing that a terminal obeys, and no line of its own. */
function escaped(text: string): string {
  return harmlessJson(text).replaceAll(
    /[\p{Cc}\p{Cf}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  )
}

const TIME = '2'
const PLACE = '36'
const NAME = '33'
