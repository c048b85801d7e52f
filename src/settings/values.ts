import { readAll } from './config-error.ts'
import { durationMs, sizeBytes } from './measures.ts'
import { describePlace, placeBelow, refuse, shown, type Place } from './place.ts'
import type { YamlMap, YamlNode } from './yaml-node.ts'

/** Makes a value of what stands in the file, or refuses it with a message that begins with the place. */
export type Reader<T> = (node: YamlNode, place: Place) => T

/** Text with the place it came from, for values that another room understands and may refuse. */
export interface PlacedText {
  readonly text: string
  /** `pubsub.yaml, line 7: clients.payloaders`: how a message about it begins. */
  readonly where: string
}

/** Text as written, `''` included. */
export const anyText: Reader<string> = (node, place) => {
  if (node.type === 'scalar' && node.text !== null) return node.text
  return refuse(place, `must be text, not ${describeKind(node)}`)
}

export const text: Reader<string> = (node, place) =>
  anyText(node, place) || refuse(place, 'must not be an empty text')

export const placedText: Reader<PlacedText> = (node, place) => ({
  text: text(node, place),
  where: describePlace(place),
})

export function oneOf<const T extends string>(...choices: readonly T[]): Reader<T> {
  return (node, place) => {
    const value = text(node, place)
    return (
      choices.find((choice) => choice === value) ??
      refuse(place, `must be ${choices.join(' or ')}, not ${shown(value)}`)
    )
  }
}

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['yes', true],
  ['on', true],
  ['false', false],
  ['no', false],
  ['off', false],
])

export const boolean: Reader<boolean> = (node, place) => {
  const value = text(node, place)
  return (
    BOOLEANS.get(value.toLowerCase()) ?? refuse(place, `must be true or false, not ${shown(value)}`)
  )
}

/** A count: decimal digits, quoted or not, `1_000` too. */
export function integer(min: number, max: number): Reader<number> {
  return (node, place) => {
    const value = text(node, place)
    const number = /^(0|[1-9][\d_]*)$/.test(value) ? Number(value.replaceAll('_', '')) : NaN
    if (number >= min && number <= max) return number
    return refuse(place, `must be a whole number from ${min} to ${max}, not ${shown(value)}`)
  }
}

/** Bytes, or `64KiB`, `10MB`, `1.5GiB`. */
export function bytes(min: number, max: number): Reader<number> {
  return (node, place) => {
    const value = text(node, place)
    const number = sizeBytes(value.replaceAll(/(?<=\d)_(?=\d)/g, ''))
    if (number !== null && Number.isInteger(number) && number >= min && number <= max) return number
    return refuse(
      place,
      `must be a number of bytes from ${min} to ${max} (64KiB and 1MiB count too), not ${shown(value)}`,
    )
  }
}

/** `45s`, `30m`, `1h30m`, `7d`, or a number of seconds; in ms. */
export function duration(minMs: number, maxMs: number): Reader<number> {
  return (node, place) => {
    const value = text(node, place)
    const ms = msOf(value)
    // Never down to 0, which has a meaning of its own.
    if (ms >= minMs && ms <= maxMs) return ms > 0 ? Math.max(1, Math.round(ms)) : 0
    return refuse(
      place,
      `must be a duration from ${showDuration(minMs)} to ${showDuration(maxMs)} ` +
        `(45s, 30m, 12h, 7d, or a number of seconds), not ${shown(value)}`,
    )
  }
}

/** Without a unit in seconds; with one a space may be before it, and nothing before a point. */
function msOf(value: string): number {
  const written = value
    .toLowerCase()
    .replace(
      /^(\d+(?:\.\d*)?|\.\d+) ?([a-z]*)$/,
      (_, number: string, unit: string) => `${Number(number)}${unit || 's'}`,
    )
  return durationMs(written) ?? NaN
}

function showDuration(ms: number): string {
  if (ms === 0) return '0'
  for (const [unit, unitMs] of SHOWN_UNITS) if (ms % unitMs === 0) return `${ms / unitMs}${unit}`
  return `${ms / 1_000}s`
}

const SHOWN_UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const

export function list<T>(item: Reader<T>): Reader<readonly T[]> {
  return (node, place) => {
    if (node.type !== 'list') return refuse(place, `must be a list, not ${describeKind(node)}`)
    return readAll(node.items, (each) =>
      item(each, { ...place, line: each.line, column: each.column, source: each.source }),
    )
  }
}

/** A map whose keys are the operator's own names. */
export function map<T>(value: Reader<T>): Reader<ReadonlyMap<string, T>> {
  return (node, place) =>
    new Map(
      readAll(entriesOf(node, place), ([key, entry]) => [
        key,
        value(entry.value, placeBelow(place, key, entry)),
      ]),
    )
}

export function entriesOf(node: YamlNode, place: Place): YamlMap['entries'] {
  if (node.type === 'map') return node.entries
  return refuse(place, `must be a map, not ${describeKind(node)}`)
}

/** Not given: the key is absent, or nothing stands behind it. */
export function isGiven(node: YamlNode | undefined): node is YamlNode {
  return node !== undefined && (node.type !== 'scalar' || node.text !== null)
}

/** Never the value itself: it may be a password. */
function describeKind(node: YamlNode): string {
  if (node.type !== 'scalar') return `a ${node.type}`
  return isGiven(node) ? 'text' : 'empty'
}
