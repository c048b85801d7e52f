/**
 * What is known of a value before there is an event: its kind, and of lists and maps nothing of what is in them. So there
 * are as many types as stand here, whatever is written, and nothing to keep.
 */
export type StaticType =
  | 'dyn'
  | 'null'
  | 'bool'
  | 'int'
  | 'double'
  | 'string'
  | 'list'
  | 'map'
  | 'type'
  | typeof TIMESTAMP
  | typeof DURATION

export const TIMESTAMP = 'google.protobuf.Timestamp'
export const DURATION = 'google.protobuf.Duration'

/** Whether a value that is known to be of one type may be of another one. */
export function mayBe(type: StaticType, wanted: StaticType): boolean {
  return type === wanted || type === 'dyn' || wanted === 'dyn'
}

/** What both may be. `null`: they have nothing in common. */
export function common(left: StaticType, right: StaticType): StaticType | null {
  if (left === right) return left
  return left === 'dyn' || right === 'dyn' ? 'dyn' : null
}

/** What comes of an operator between two values. `null`: it can never be evaluated. */
export function typeOfBinary(
  operator: string,
  left: StaticType,
  right: StaticType,
): StaticType | null {
  if (operator === '==' || operator === '!=') return mayBe(left, right) ? 'bool' : null
  const results = new Set(
    (OVERLOADS[operator] ?? [])
      .filter(([one, other]) => mayBe(left, one) && mayBe(right, other))
      .map(([, , result]) => result),
  )
  if (results.size === 0) return null
  return results.size === 1 ? [...results][0]! : 'dyn'
}

type Overload = readonly [left: StaticType, right: StaticType, result: StaticType]

/** Numbers of JSON are doubles, and the literal in `count + 1` is an int: CEL alone would fail. */
const NUMBERS: readonly Overload[] = [
  ['int', 'int', 'int'],
  ['double', 'double', 'double'],
  ['int', 'double', 'double'],
  ['double', 'int', 'double'],
]

const ORDERED: readonly Overload[] = [
  ...(['bool', 'int', 'double', 'string', TIMESTAMP, DURATION] as const).map(
    (type) => [type, type, 'bool'] as const,
  ),
  ['int', 'double', 'bool'],
  ['double', 'int', 'bool'],
]

const OVERLOADS: Readonly<Record<string, readonly Overload[]>> = {
  '<': ORDERED,
  '<=': ORDERED,
  '>': ORDERED,
  '>=': ORDERED,
  in: [
    ['dyn', 'list', 'bool'],
    ['dyn', 'map', 'bool'],
  ],
  '+': [
    ...NUMBERS,
    ['string', 'string', 'string'],
    ['list', 'list', 'list'],
    [DURATION, DURATION, DURATION],
    [TIMESTAMP, DURATION, TIMESTAMP],
    [DURATION, TIMESTAMP, TIMESTAMP],
  ],
  '-': [
    ...NUMBERS,
    [DURATION, DURATION, DURATION],
    [TIMESTAMP, TIMESTAMP, DURATION],
    [TIMESTAMP, DURATION, TIMESTAMP],
  ],
  '*': NUMBERS,
  '/': NUMBERS,
  '%': [['int', 'int', 'int']],
}
