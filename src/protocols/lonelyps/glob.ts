import { Automaton, type Step, type Test } from './automaton.ts'
import { MalformedError } from './byte-reader.ts'

/** Whether a topic matches. */
export type CompiledGlob = (topic: string) => boolean

/** Characters of a glob: with a topic of 64 KiB it takes some ms (test/hostile/lonelyps.test.ts). */
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
  const boundaries = [SLASH, SLASH + 1]
  const segments = pattern.split('/').map((segment) => Array.from(segment))
  const flat = new Automaton(translate(characters, anything, boundaries), boundaries)
  const segmented = new Automaton(translateSegments(segments, boundaries), boundaries)
  return (topic) => flat.accepts(topic) || segmented.accepts(topic)
}

const SLASH = 0x2f

const anything: Test = () => true
const nothing: Test = () => false
const noSlash: Test = (codePoint) => codePoint !== SLASH
const slash: Test = (codePoint) => codePoint === SLASH

/** The answer changes at the character, and behind it. */
function only(character: string, boundaries: number[]): Test {
  const wanted = character.codePointAt(0)!
  boundaries.push(wanted, wanted + 1)
  return (codePoint) => codePoint === wanted
}

/** `wild`: what `*`, `?` and a class may match. `boundaries`: takes where tests change their answers. */
function translate(pattern: readonly string[], wild: Test, boundaries: number[]): Step[] {
  const steps: Step[] = []
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!
    if (character === '*') {
      if (steps.at(-1)?.type !== 'many') steps.push({ type: 'many', test: wild })
    } else if (character === '?') steps.push({ type: 'one', test: wild })
    else if (character === '[') {
      const end = classEnd(pattern, at)
      if (end === -1) steps.push({ type: 'one', test: only('[', boundaries) })
      else {
        const isListed = classOf(pattern.slice(at + 1, end), boundaries)
        steps.push({ type: 'one', test: (other) => wild(other) && isListed(other) })
        at = end
      }
    } else steps.push({ type: 'one', test: only(character, boundaries) })
  }
  return steps
}

function translateSegments(segments: readonly (readonly string[])[], boundaries: number[]): Step[] {
  const steps: Step[] = []
  segments.forEach((segment, index) => {
    const isLast = index === segments.length - 1
    const text = segment.join('')
    if (text === '**') {
      if (isLast) steps.push({ type: 'many', test: anything })
      else if (segments[index + 1]!.join('') !== '**')
        steps.push(
          { type: 'skip' },
          { type: 'one', test: anything },
          { type: 'many', test: anything },
          { type: 'one', test: slash },
        )
      return
    }
    if (text === '*') steps.push({ type: 'one', test: noSlash }, { type: 'many', test: noSlash })
    else steps.push(...translate(segment, noSlash, boundaries))
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

function classOf(content: readonly string[], boundaries: number[]): Test {
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
  const listed = ranges.map(([low, high]) => [low.codePointAt(0)!, high.codePointAt(0)!] as const)
  for (const [low, high] of listed) boundaries.push(low, high + 1)
  const isListed: Test = (codePoint) =>
    listed.some(([low, high]) => codePoint >= low && codePoint <= high)
  return isNegatedAtOnce || isNegatedLate ? (codePoint) => !isListed(codePoint) : isListed
}
