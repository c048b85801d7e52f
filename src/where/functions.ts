import { lowerAscii, upperAscii } from './ascii-case.ts'
import type { Meter } from './meter.ts'
import { DURATION, TIMESTAMP, type StaticType } from './static-types.ts'
import { Duration, isList, isMap, keysOf, TypeName, type Value } from './values.ts'

/** One that takes a value, and perhaps another one. `undefined`: not of these values, or it is too much work. */
export interface ServedFunction {
  /** The types that its first value may have. */
  readonly takes: readonly StaticType[]
  /** The types that its second value may have. Absent: it takes only one. */
  readonly takesAlso?: readonly StaticType[]
  readonly returns: StaticType
  readonly call: (meter: Meter, value: Value, other: Value) => Value | undefined
}

/** The types that have names in the language. */
export const TYPES: ReadonlyMap<string, TypeName> = new Map(
  ['bool', 'bytes', 'double', 'int', 'list', 'map', 'null_type', 'string', 'type', 'uint']
    .concat(TIMESTAMP, DURATION)
    .map((name) => [name, new TypeName(name)]),
)

export const FUNCTIONS: Readonly<Record<string, ServedFunction>> = {
  size: { takes: ['string', 'list', 'map'], returns: 'int', call: size },
  int: { takes: ['int', 'double', 'string'], returns: 'int', call: toInt },
  double: { takes: ['double', 'int', 'string'], returns: 'double', call: toDouble },
  string: { takes: ['string', 'bool', 'int', 'double'], returns: 'string', call: toText },
  bool: { takes: ['bool', 'string'], returns: 'bool', call: (_, value) => toBool(value) },
  type: { takes: ['dyn'], returns: 'type', call: (_, value) => typeOf(value) },
  dyn: { takes: ['dyn'], returns: 'dyn', call: (_, value) => value },
  timestamp: { takes: ['string', 'int'], returns: TIMESTAMP, call: toTimestamp },
  duration: { takes: ['string'], returns: DURATION, call: toDuration },
}

const ofTexts = (
  call: (meter: Meter, text: string, part: string) => boolean | undefined,
): ServedFunction => ({
  takes: ['string'],
  takesAlso: ['string'],
  returns: 'bool',
  call: (meter, text, part) =>
    typeof text === 'string' && typeof part === 'string' ? call(meter, text, part) : undefined,
})

/** `charactersPerStep`: measured where it takes longest. */
const ofText = (charactersPerStep: number, call: (text: string) => string): ServedFunction => ({
  takes: ['string'],
  returns: 'string',
  call: (meter, text) =>
    typeof text === 'string' && meter.spend(text.length / charactersPerStep)
      ? call(text)
      : undefined,
})

/** In UTC. A timestamp is a date, and has all of them; a duration some. */
const ofTime = (ofDate: (date: Date) => number, nanosecondsPerUnit?: bigint): ServedFunction => ({
  takes: nanosecondsPerUnit === undefined ? [TIMESTAMP] : [TIMESTAMP, DURATION],
  returns: 'int',
  call(meter, value) {
    if (!meter.spend(2)) return undefined
    if (value instanceof Date) return BigInt(ofDate(value))
    if (!(value instanceof Duration) || nanosecondsPerUnit === undefined) return undefined
    return value.nanoseconds / nanosecondsPerUnit
  },
})

export const METHODS: Readonly<Record<string, ServedFunction>> = {
  size: FUNCTIONS['size']!,
  startsWith: ofTexts((meter, text, part) =>
    meter.spend(part.length / 32) ? text.startsWith(part) : undefined,
  ),
  endsWith: ofTexts((meter, text, part) =>
    meter.spend(part.length / 32) ? text.endsWith(part) : undefined,
  ),
  contains: ofTexts(contains),
  lowerAscii: ofText(8, lowerAscii),
  upperAscii: ofText(8, upperAscii),
  trim: ofText(32, (text) => text.trim()),
  getFullYear: ofTime((date) => date.getUTCFullYear()),
  getMonth: ofTime((date) => date.getUTCMonth()),
  getDate: ofTime((date) => date.getUTCDate()),
  getDayOfMonth: ofTime((date) => date.getUTCDate() - 1),
  getDayOfWeek: ofTime((date) => date.getUTCDay()),
  getDayOfYear: ofTime(dayOfYear),
  getHours: ofTime((date) => date.getUTCHours(), 3_600_000_000_000n),
  getMinutes: ofTime((date) => date.getUTCMinutes(), 60_000_000_000n),
  getSeconds: ofTime((date) => date.getUTCSeconds(), 1_000_000_000n),
  getMilliseconds: ofTime((date) => date.getUTCMilliseconds(), 1_000_000n),
}

function dayOfYear(date: Date): number {
  const year = date.getUTCFullYear()
  const midnightMs = new Date(0).setUTCFullYear(year, date.getUTCMonth(), date.getUTCDate())
  return Math.round((midnightMs - new Date(0).setUTCFullYear(year, 0, 1)) / 86_400_000)
}

/** Code points of a text, elements of a list, members of a map. */
function size(meter: Meter, value: Value): bigint | undefined {
  if (typeof value === 'string')
    return meter.spend(value.length / 32) ? BigInt(codePointsIn(value)) : undefined
  if (isList(value)) return BigInt(value.length)
  if (!isMap(value)) return undefined
  const { length } = keysOf(value)
  return meter.spend(length) ? BigInt(length) : undefined
}

function codePointsIn(text: string): number {
  let count = text.length
  for (let n = 1; n < text.length; n++)
    if ((text.charCodeAt(n) & 0xfc00) === 0xdc00 && (text.charCodeAt(n - 1) & 0xfc00) === 0xd800)
      count--
  return count
}

/**
 * V8 searches in linear time as long as its tables hold all of the part; beyond, "aa…b…aa" in "aaaa…" would take 0.3 s.
 * Then the search is by Knuth, Morris and Pratt, which never goes back in the text.
 */
function contains(meter: Meter, text: string, part: string): boolean | undefined {
  if (part.length > text.length) return false
  if (part.length <= PART_IN_TABLES_MAX)
    return meter.spend(text.length / 16) ? text.includes(part) : undefined
  return meter.spend((text.length + part.length) / 8) ? containsLong(text, part) : undefined
}

/** In UTF-16 units: `kBMMaxShift` of V8's string-search.h. */
const PART_IN_TABLES_MAX = 250

function containsLong(text: string, part: string): boolean {
  /** How much of the part is both its beginning and the end of what has matched. */
  const borders = new Uint32Array(part.length)
  for (let n = 1, matched = 0; n < part.length; n++) {
    matched = matchedWith(part.charCodeAt(n), matched, part, borders)
    borders[n] = matched
  }
  for (let n = 0, matched = 0; n < text.length; n++) {
    matched = matchedWith(text.charCodeAt(n), matched, part, borders)
    if (matched === part.length) return true
  }
  return false
}

function matchedWith(unit: number, before: number, part: string, borders: Uint32Array): number {
  let matched = before
  while (matched > 0 && part.charCodeAt(matched) !== unit) matched = borders[matched - 1]!
  return part.charCodeAt(matched) === unit ? matched + 1 : matched
}

const INT_MAX = 2n ** 63n - 1n
const INT_MIN = -(2n ** 63n)

/** `undefined`: it does not fit into 64 bits, which CEL's ints have. */
export function int64(value: bigint): bigint | undefined {
  return value <= INT_MAX && value >= INT_MIN ? value : undefined
}

function toInt(meter: Meter, value: Value): bigint | undefined {
  if (typeof value === 'bigint') return value
  if (!meter.spend(2)) return undefined
  if (typeof value === 'number')
    return Number.isFinite(value) ? int64(BigInt(Math.trunc(value))) : undefined
  if (typeof value !== 'string' || value.length > 20 || !INTEGER.test(value)) return undefined
  return int64(BigInt(value))
}

const INTEGER = /^(?:\+?\d+|-\d+)$/

function toDouble(meter: Meter, value: Value): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return meter.spend(1) ? Number(value) : undefined
  if (typeof value !== 'string' || !meter.spend(2 + value.length / 16)) return undefined
  if (value === '' || value !== value.trim()) return undefined
  const special = value.length <= 9 ? SPECIAL_DOUBLES.get(value.toLowerCase()) : undefined
  if (special !== undefined) return special
  const number = Number(value)
  return Number.isNaN(number) ? undefined : number
}

const SPECIAL_DOUBLES: ReadonlyMap<string, number> = new Map([
  ...['inf', '+inf', 'infinity', '+infinity'].map((text) => [text, Infinity] as const),
  ...['-inf', '-infinity'].map((text) => [text, -Infinity] as const),
  ['nan', NaN],
])

function toText(meter: Meter, value: Value): string | undefined {
  switch (typeof value) {
    case 'string':
      return value
    case 'boolean':
      return String(value)
    case 'bigint':
      return meter.spend(2) ? String(value) : undefined
    case 'number':
      if (!meter.spend(4)) return undefined
      if (value === Infinity) return '+Inf'
      return value === -Infinity ? '-Inf' : String(value)
    default:
      return undefined
  }
}

function toBool(value: Value): boolean | undefined {
  return typeof value === 'boolean' ? value : BOOLS.get(value)
}

const BOOLS: ReadonlyMap<unknown, boolean> = new Map([
  ...['1', 't', 'true', 'TRUE', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'false', 'FALSE', 'False'].map((text) => [text, false] as const),
])

function typeOf(value: Value): TypeName {
  return TYPES.get(nameOfType(value))!
}

function nameOfType(value: Value): string {
  if (value === null) return 'null_type'
  switch (typeof value) {
    case 'string':
      return 'string'
    case 'bigint':
      return 'int'
    case 'number':
      return 'double'
    case 'boolean':
      return 'bool'
    default:
      if (isList(value)) return 'list'
      if (value instanceof Date) return TIMESTAMP
      if (value instanceof Duration) return DURATION
      return value instanceof TypeName ? 'type' : 'map'
  }
}

/** From the year 1 to 9999, as CEL has it: of seconds since 1970, or as RFC 3339 writes it. */
function toTimestamp(meter: Meter, value: Value): Date | undefined {
  if (typeof value === 'bigint') return meter.spend(2) ? dateOf(Number(value) * 1_000) : undefined
  if (typeof value !== 'string' || !meter.spend(6) || value.length > 35) return undefined
  const [, year, month, day, hour, minute, second, fraction, sign, offsetHour, offsetMinute] =
    RFC_3339.exec(value) ?? []
  if (year === undefined) return undefined
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  // The 31st of June would be the 1st of July.
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day))
    return undefined
  const isTime = Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60
  if (!isTime || Number(offsetHour ?? 0) > 23 || Number(offsetMinute ?? 0) > 59) return undefined
  const offsetMs = (Number(offsetHour ?? 0) * 60 + Number(offsetMinute ?? 0)) * 60_000
  const ofDayMs = ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1_000
  const fractionMs = Math.floor(Number(`0${fraction ?? ''}`) * 1_000)
  return dateOf(date.getTime() + ofDayMs + fractionMs - (sign === '-' ? -offsetMs : offsetMs))
}

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d{1,9})?(?:Z|([+-])(\d\d):(\d\d))$/

const FIRST_MS = -62_135_596_800_000
const LAST_MS = 253_402_300_799_999

export function dateOf(ms: number): Date | undefined {
  return ms >= FIRST_MS && ms <= LAST_MS ? new Date(ms) : undefined
}

/** As Go writes it: "1h30m", "-1.5s", "300ms". */
function toDuration(meter: Meter, value: Value): Duration | undefined {
  if (typeof value !== 'string' || value.length > DURATION_LENGTH_MAX) return undefined
  if (!meter.spend(4 + 2 * value.length)) return undefined
  const [, sign, parts] = DURATION_TEXT.exec(value) ?? []
  if (parts === undefined) return undefined
  let nanoseconds = 0n
  for (const [, whole, fraction = '', unit] of parts.matchAll(DURATION_PART)) {
    const perUnit = NANOSECONDS[unit!]!
    nanoseconds += BigInt(whole!) * perUnit
    const digits = fraction.slice(0, FRACTION_DIGITS).padEnd(FRACTION_DIGITS, '0')
    nanoseconds += (BigInt(digits) * perUnit) / 10n ** BigInt(FRACTION_DIGITS)
  }
  return durationOf(sign === '-' ? -nanoseconds : nanoseconds)
}

/** More than any duration needs. */
const DURATION_LENGTH_MAX = 64

const DURATION_TEXT = /^([+-]?)((?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+)$/
const DURATION_PART = /(\d*)(?:\.(\d*))?(ns|us|µs|ms|s|m|h)/gy
/** A nanosecond is so much of an hour. */
const FRACTION_DIGITS = 13

const NANOSECONDS: Readonly<Record<string, bigint>> = {
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1_000n,
  µs: 1_000n,
  ns: 1n,
}

/** 10,000 years, as CEL has it. */
const DURATION_NANOSECONDS_MAX = 315_576_000_000n * 1_000_000_000n

export function durationOf(nanoseconds: bigint): Duration | undefined {
  const isInRange =
    nanoseconds <= DURATION_NANOSECONDS_MAX && nanoseconds >= -DURATION_NANOSECONDS_MAX
  return isInRange ? new Duration(nanoseconds) : undefined
}
