/**
 * An empty list, shared by all that hold nothing, or one of its own, which grows in place. Made so, a list of one takes a
 * quarter of what it takes once something was pushed to an empty one; most lists of what waits for a moment have one.
 */
export function withLast<T>(list: T[], last: T): T[]
export function withLast<T>(list: readonly T[], last: T): readonly T[]
export function withLast<T>(list: readonly T[], last: T): readonly T[] {
  if (list.length === 0) return [last]
  ;(list as T[]).push(last)
  return list
}
