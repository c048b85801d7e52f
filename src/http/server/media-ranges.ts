/** What an `Accept` names: a type, or a range of them. */
export interface MediaRange {
  /** In lower case, without parameters: `text/html`, `text/*`. Whatever else stands there comes as it is. */
  readonly name: string
  /** How much it is wanted, 1 unless it says so; `NaN` where it says what is no number. 0: not at all. */
  readonly quality: number
}

/**
 * The ranges of an `Accept`, in its order. Parameters but the quality are passed over: none of our types has any, so that
 * `charset=utf-8` must not make an unknown one of it. In linear time, whatever stands there
 * (`test/hostile/headers.test.ts`); libraries that join the pieces between commas again as long as a quote is open take
 * a third of a second for 60,000 of them.
 */
export function mediaRanges(accept: string): MediaRange[] {
  // Without what is quoted no comma and no semicolon is left that means another thing.
  const ranges = accept.replace(QUOTED, '""').split(',')
  return ranges.map((range) => {
    const [name, ...parameters] = range.split(';')
    return { name: name!.trim().toLowerCase(), quality: qualityIn(parameters) }
  })
}

/** An open quote reaches to the end. */
const QUOTED = /"(?:[^"\\]|\\[^])*(?:"|\\?$)/g

function qualityIn(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    const value = QUALITY.exec(parameter)?.[1]
    if (value !== undefined) return Number.parseFloat(value)
  }
  return 1
}

const QUALITY = /^\s*q\s*=(.*)$/i

/**
 * The type that is wanted most; of equally wanted ones the one that is named most exactly, then earliest, then the first of
 * `types` (RFC 9110 §12.5.1). `undefined`: none is accepted.
 */
export function preferredType(accept: string, types: readonly string[]): string | undefined {
  const ranges = mediaRanges(accept)
  let best: Match | null = null
  let bestType: string | undefined
  for (const type of types) {
    const match = matchOf(type, ranges)
    if (match === null || !(match.quality > 0)) continue
    if (best !== null && !isBetter(match, best)) continue
    best = match
    bestType = type
  }
  return bestType
}

interface Match {
  readonly quality: number
  /** 2: the type itself, 1: all that begin as it does, 0: all. */
  readonly exactness: number
  readonly place: number
}

/** The range that names it most exactly counts, and among those the one that wants it most, or comes last. */
function matchOf(type: string, ranges: readonly MediaRange[]): Match | null {
  const names = ['*/*', `${type.split('/', 1)[0]}/*`, type]
  let best: Match | null = null
  for (const [place, { name, quality }] of ranges.entries()) {
    const exactness = names.indexOf(name)
    if (exactness === -1) continue
    const isMore =
      best === null ||
      exactness > best.exactness ||
      (exactness === best.exactness && quality >= best.quality)
    if (isMore) best = { quality, exactness, place }
  }
  return best
}

function isBetter(a: Match, b: Match): boolean {
  if (a.quality !== b.quality) return a.quality > b.quality
  if (a.exactness !== b.exactness) return a.exactness > b.exactness
  return a.place < b.place
}
