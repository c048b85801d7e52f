import { dateOf, durationOf, int64 } from './functions.ts'
import type { Meter } from './meter.ts'
import { CHARACTERS_PER_STEP, Duration, isList, type Value } from './values.ts'

/** What `+`, `-`, `*`, `/` and `%` calculate. `undefined`: not of these values, or it is too much work. */
export type Arithmetic = (meter: Meter, left: Value, right: Value) => Value | undefined

export const ARITHMETIC: Readonly<Record<string, Arithmetic>> = {
  '+': (meter, left, right) =>
    ofNumbers(left, right, plus, plusInts) ??
    joined(meter, left, right) ??
    ofTimes(left, right, (one, other) => one + other),
  '-': (_, left, right) =>
    ofNumbers(left, right, minus, minusInts) ?? ofTimes(left, right, (one, other) => one - other),
  '*': (_, left, right) => ofNumbers(left, right, times, timesInts),
  '/': (_, left, right) => ofNumbers(left, right, divided, dividedInts),
  '%': (_, left, right) =>
    typeof left === 'bigint' && typeof right === 'bigint' && right !== 0n
      ? left % right
      : undefined,
}

type OfDoubles = (left: number, right: number) => number
type OfInts = (left: bigint, right: bigint) => bigint | undefined

const plus: OfDoubles = (left, right) => left + right
const minus: OfDoubles = (left, right) => left - right
const times: OfDoubles = (left, right) => left * right
const divided: OfDoubles = (left, right) => left / right
const plusInts: OfInts = (left, right) => int64(left + right)
const minusInts: OfInts = (left, right) => int64(left - right)
const timesInts: OfInts = (left, right) => int64(left * right)
const dividedInts: OfInts = (left, right) => (right === 0n ? undefined : int64(left / right))

/** An int and a double make a double: numbers of JSON are doubles, and the literal in `count + 1` is an int. */
function ofNumbers(
  left: Value,
  right: Value,
  ofDoubles: OfDoubles,
  ofInts: OfInts,
): number | bigint | undefined {
  if (typeof left === 'number') {
    if (typeof right === 'number') return ofDoubles(left, right)
    return typeof right === 'bigint' ? ofDoubles(left, Number(right)) : undefined
  }
  if (typeof left !== 'bigint') return undefined
  if (typeof right === 'bigint') return ofInts(left, right)
  return typeof right === 'number' ? ofDoubles(Number(left), right) : undefined
}

function joined(meter: Meter, left: Value, right: Value): Value | undefined {
  if (typeof left === 'string' && typeof right === 'string') {
    const characters = left.length + right.length
    return meter.spend(characters / CHARACTERS_PER_STEP) ? left + right : undefined
  }
  if (!isList(left) || !isList(right)) return undefined
  return meter.spend((left.length + right.length) / 4) ? [...left, ...right] : undefined
}

/** Timestamps have milliseconds, durations nanoseconds. */
function ofTimes(
  left: Value,
  right: Value,
  calculate: (left: bigint, right: bigint) => bigint,
): Value | undefined {
  const [one, other] = [nanosecondsOf(left), nanosecondsOf(right)]
  if (one === undefined || other === undefined) return undefined
  const isDate = left instanceof Date
  const nanoseconds = calculate(one, other)
  // What two timestamps lie apart is a duration.
  if (isDate === right instanceof Date)
    return isDate && calculate(1n, 1n) !== 0n ? undefined : durationOf(nanoseconds)
  // There is no duration without a timestamp.
  if (!isDate && calculate(1n, 1n) === 0n) return undefined
  return dateOf(Number(floorDivided(nanoseconds, 1_000_000n)))
}

function nanosecondsOf(value: Value): bigint | undefined {
  if (value instanceof Duration) return value.nanoseconds
  return value instanceof Date ? BigInt(value.getTime()) * 1_000_000n : undefined
}

function floorDivided(value: bigint, by: bigint): bigint {
  const quotient = value / by
  return value < 0n && quotient * by !== value ? quotient - 1n : quotient
}
