/** The name somebody probably meant, or `null` when none is near. */
export function nearestName(written: string, names: readonly string[]): string | null {
  let nearest: string | null = null
  let fewest = Math.floor(written.length / 3) + 1
  for (const name of names) {
    // The length settles it first: what was written may be megabytes long.
    if (Math.abs(name.length - written.length) > fewest || written.length > 2 * name.length)
      continue
    const edits = editDistance(written, name)
    if (edits <= fewest) {
      nearest = name
      fewest = edits - 1
    }
  }
  return nearest
}

/** Letters to insert, drop, replace, or swap with their neighbour until `a` is `b`. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      current[column] = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (beforeLast[column - 2] ?? 0) + 1 : Infinity,
      )
    }
    beforeLast = last
    last = current
  }
  return last[b.length] ?? 0
}
