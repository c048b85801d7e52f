import type { Meter } from './meter.ts'

/** What an expression calculates with. Absent (`undefined`): it cannot be evaluated. */
export type Value =
  | null
  | boolean
  /** A double. */
  | number
  /** An int. */
  | bigint
  | string
  /** A timestamp. */
  | Date
  | Duration
  | TypeName
  | readonly Value[]
  | ValueMap

/** Its members by name. */
export interface ValueMap {
  readonly [name: string]: Value
}

export class Duration {
  readonly #nanoseconds: bigint
  constructor(nanoseconds: bigint) {
    this.#nanoseconds = nanoseconds
  }
  get nanoseconds(): bigint {
    return this.#nanoseconds
  }
}

/** What `type()` says. There is one for each type, so that they are compared as they are. */
export class TypeName {
  readonly #name: string
  constructor(name: string) {
    this.#name = name
  }
  get name(): string {
    return this.#name
  }
}

export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value)
}

export function isMap(value: Value | undefined): value is ValueMap {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Date || value instanceof Duration || value instanceof TypeName)
  )
}

/** A member of a map. `undefined`: there is none, or it is no map. */
export function memberOf(value: Value | undefined, name: string): Value | undefined {
  // What is neither a list nor a map has no members of its own.
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return Object.hasOwn(value, name) ? (value as ValueMap)[name] : undefined
}

/** The names in a map, which are read from it once for all expressions. */
export function keysOf(map: ValueMap): readonly string[] {
  let keys = keysByMap.get(map)
  if (keys === undefined) keysByMap.set(map, (keys = Object.keys(map)))
  return keys
}

const keysByMap = new WeakMap<ValueMap, readonly string[]>()

/** Characters that are compared or copied in the time of one step. */
export const CHARACTERS_PER_STEP = 64

/** Values of different types are different, but numbers are compared by value. `undefined`: it is too much work. */
export function isEqual(meter: Meter, left: Value, right: Value): boolean | undefined {
  switch (typeof left) {
    case 'string':
      if (typeof right !== 'string' || left.length !== right.length) return false
      if (!meter.spend(left.length / CHARACTERS_PER_STEP)) return undefined
      return left === right
    case 'number':
    case 'bigint':
      return isNumber(right) && areEqualNumbers(left, right)
    case 'object':
      return left === right || (left !== null && areEqualObjects(meter, left, right))
    default:
      return left === right
  }
}

/** Compares an int and a double exactly, to the last digit. */
function areEqualNumbers(left: number | bigint, right: number | bigint): boolean {
  // oxlint-disable-next-line eqeqeq
  return left == right
}

function areEqualObjects(
  meter: Meter,
  left: Exclude<Value, null | boolean | number | bigint | string>,
  right: Value,
): boolean | undefined {
  if (isList(left)) return isList(right) && areEqualLists(meter, left, right)
  if (left instanceof Date) return right instanceof Date && left.getTime() === right.getTime()
  if (left instanceof Duration)
    return right instanceof Duration && left.nanoseconds === right.nanoseconds
  if (left instanceof TypeName) return false // else it would be the same object
  return isMap(right) && areEqualMaps(meter, left, right)
}

function areEqualLists(
  meter: Meter,
  left: readonly Value[],
  right: readonly Value[],
): boolean | undefined {
  if (left.length !== right.length) return false
  for (let n = 0; n < left.length; n++) {
    if (!meter.spend(1)) return undefined
    const equal = isEqual(meter, left[n]!, right[n]!)
    if (equal !== true) return equal
  }
  return true
}

function areEqualMaps(meter: Meter, left: ValueMap, right: ValueMap): boolean | undefined {
  const [keys, others] = [keysOf(left), keysOf(right)]
  if (keys.length !== others.length) return false
  for (const key of keys) {
    if (!meter.spend(2)) return undefined
    if (!Object.hasOwn(right, key)) return false
    const equal = isEqual(meter, left[key]!, right[key]!)
    if (equal !== true) return equal
  }
  return true
}

/** Below 0, 0 or above. `NaN`: neither. `undefined`: they have no order, or it is too much work. */
export function compare(meter: Meter, left: Value, right: Value): number | undefined {
  if (isNumber(left) && isNumber(right)) return orderOf(left, right)
  if (typeof left === 'string' && typeof right === 'string') {
    const characters = Math.min(left.length, right.length)
    return meter.spend(characters / CHARACTERS_PER_STEP) ? orderOf(left, right) : undefined
  }
  if (typeof left === 'boolean' && typeof right === 'boolean') return orderOf(left, right)
  if (left instanceof Date && right instanceof Date) return left.getTime() - right.getTime()
  if (left instanceof Duration && right instanceof Duration)
    return orderOf(left.nanoseconds, right.nanoseconds)
  return undefined
}

function isNumber(value: Value): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

function orderOf<T extends number | bigint | string | boolean>(left: T, right: T): number {
  if (left < right) return -1
  if (left > right) return 1
  return left >= right ? 0 : NaN
}

/** Whether a value is in a list, or a name in a map. */
export function isIn(meter: Meter, value: Value, where: Value): boolean | undefined {
  if (isList(where)) {
    for (const each of where) {
      if (!meter.spend(1)) return undefined
      const equal = isEqual(meter, value, each)
      if (equal !== false) return equal
    }
    return false
  }
  if (!isMap(where)) return undefined
  const key = keyOf(meter, value)
  return key === undefined ? false : Object.hasOwn(where, key)
}

/** An element of a list, or a member of a map. `undefined`: there is none. */
export function elementOf(meter: Meter, where: Value, index: Value): Value | undefined {
  if (isList(where)) return isNumber(index) ? where[Number(index)] : undefined
  const key = keyOf(meter, index)
  return key === undefined ? undefined : memberOf(where, key)
}

/** Names in JSON are texts, so that `m[1]` is the member "1". A text that was made has to be looked up among all there are. */
function keyOf(meter: Meter, value: Value): string | undefined {
  if (typeof value === 'string') return meter.spend(value.length / 32) ? value : undefined
  return isNumber(value) || typeof value === 'boolean' ? String(value) : undefined
}
