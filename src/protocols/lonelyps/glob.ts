import { MalformedError } from './byte-reader.ts'

/** Whether a topic matches. */
export type CompiledGlob = (topic: string) => boolean

/** Characters of a glob. With a topic of 64 KiB that is some 50 ms at the very worst, and far less for any real one. */
const GLOB_CHARACTERS_MAX = 256

/**
 * What matches `fnmatch.translate` or `glob.translate` (recursive, hidden files included) of Python: which one a client
 * uses goes by its version, and what it does not want it drops (docs/protocols/lonelyps.md, Globs).
 * @throws {MalformedError} it is too long.
 */
export function compileGlob(pattern: string): CompiledGlob {
  const characters = Array.from(pattern)
  if (characters.length > GLOB_CHARACTERS_MAX)
    throw new MalformedError(
      `the glob has ${characters.length} characters, the limit is ${GLOB_CHARACTERS_MAX}`,
    )
  const flat = translate(characters, anything)
  const segmented = translateSegments(pattern.split('/').map((segment) => Array.from(segment)))
  return (topic) => {
    const text = Array.from(topic)
    return accepts(flat, text) || accepts(segmented, text)
  }
}

type Test = (character: string) => boolean

/** A step of an automaton: takes one character, any number of them, or goes on in two places. */
type Step =
  | { readonly type: 'one'; readonly test: Test }
  | { readonly type: 'many'; readonly test: Test }
  /** On with the next step, or behind the next `count` ones. */
  | { readonly type: 'skip'; readonly count: number }

const anything: Test = () => true
const nothing: Test = () => false
const noSlash: Test = (character) => character !== '/'
const slash: Test = (character) => character === '/'

/** `wild`: what `*`, `?` and a class may match. */
function translate(pattern: readonly string[], wild: Test): Step[] {
  const steps: Step[] = []
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!
    if (character === '*') {
      if (steps.at(-1)?.type !== 'many') steps.push({ type: 'many', test: wild })
    } else if (character === '?') steps.push({ type: 'one', test: wild })
    else if (character === '[') {
      const end = classEnd(pattern, at)
      if (end === -1) steps.push({ type: 'one', test: (other) => other === '[' })
      else {
        const isListed = classOf(pattern.slice(at + 1, end))
        steps.push({ type: 'one', test: (other) => wild(other) && isListed(other) })
        at = end
      }
    } else steps.push({ type: 'one', test: (other) => other === character })
  }
  return steps
}

function translateSegments(segments: readonly (readonly string[])[]): Step[] {
  const steps: Step[] = []
  segments.forEach((segment, index) => {
    const isLast = index === segments.length - 1
    const text = segment.join('')
    if (text === '**') {
      if (isLast) steps.push({ type: 'many', test: anything })
      else if (segments[index + 1]!.join('') !== '**')
        steps.push(
          { type: 'skip', count: 3 },
          { type: 'one', test: anything },
          { type: 'many', test: anything },
          { type: 'one', test: slash },
        )
      return
    }
    if (text === '*') steps.push({ type: 'one', test: noSlash }, { type: 'many', test: noSlash })
    else steps.push(...translate(segment, noSlash))
    if (!isLast) steps.push({ type: 'one', test: slash })
  })
  return steps
}

/** The `]` that ends a class; one that comes first is a member. -1: nothing ends it, so it is none. */
function classEnd(pattern: readonly string[], start: number): number {
  let at = start + 1
  if (pattern[at] === '!') at++
  if (pattern[at] === ']') at++
  return pattern.indexOf(']', at)
}

function classOf(content: readonly string[]): Test {
  if (content.length === 0) return nothing
  const isNegatedAtOnce = content[0] === '!'
  const ranges: (readonly [low: string, high: string, isRange: boolean])[] = []
  for (let at = isNegatedAtOnce ? 1 : 0; at < content.length; at++) {
    const low = content[at]!
    const isRange = content[at + 1] === '-' && at + 2 < content.length
    const high = isRange ? content[at + 2]! : low
    if (low.codePointAt(0)! <= high.codePointAt(0)!) ranges.push([low, high, isRange])
    if (isRange) at += 2
  }
  // Python drops reversed ranges before it looks for the `!`, which may come first only then: `[b-a!x]` is `[!x]`.
  const [first] = ranges
  const isNegatedLate = !isNegatedAtOnce && first?.[0] === '!'
  if (isNegatedLate) {
    const [, high, isRange] = first
    ranges.splice(0, 1)
    if (isRange) ranges.push(['-', '-', false], [high, high, false]) // what is left of `!-x`
  }
  const isListed: Test = (character) => {
    const code = character.codePointAt(0)!
    return ranges.some(([low, high]) => code >= low.codePointAt(0)! && code <= high.codePointAt(0)!)
  }
  return isNegatedAtOnce || isNegatedLate ? (character) => !isListed(character) : isListed
}

/** All places at once, so that no pattern takes longer than its length times the topic's. */
function accepts(steps: readonly Step[], text: readonly string[]): boolean {
  let places = reached(steps, [0])
  for (const character of text) {
    const next: number[] = []
    for (const place of places) {
      const step = steps[place]
      if (step === undefined || step.type === 'skip' || !step.test(character)) continue
      next.push(step.type === 'one' ? place + 1 : place)
    }
    if (next.length === 0) return false
    places = reached(steps, next)
  }
  return places.includes(steps.length)
}

/** Where one may be without taking a character. */
function reached(steps: readonly Step[], from: readonly number[]): number[] {
  const seen = new Uint8Array(steps.length + 1)
  const places: number[] = []
  const open = [...from]
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    if (seen[place] === 1) continue
    seen[place] = 1
    places.push(place)
    const step = steps[place]
    if (step?.type === 'many') open.push(place + 1)
    if (step?.type === 'skip') open.push(place + 1, place + 1 + step.count)
  }
  return places
}
