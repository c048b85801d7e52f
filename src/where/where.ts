import { LimitExceededError, PubSubError } from '../publication/errors.ts'
import type { PublishedEvent } from '../hub/event.ts'
import type { EventPredicate } from '../hub/predicate.ts'
import { compile, type Program } from './cel.ts'
import { EventVariables } from './event-variables.ts'
import { CelError } from './syntax.ts'

export interface WhereLimits {
  /** Characters of an expression. */
  readonly whereLengthMax: number
  /** Steps of one evaluation, of about 50 ns. */
  readonly whereStepsMax: number
}

/** The expressions by which streams choose among events (`?where=`). */
export class WhereExpressions {
  /** Evaluations that came to nothing: a member was missing or of another type, or the work exceeded the limit. */
  failures = 0
  readonly #limits: WhereLimits
  readonly #variables = new EventVariables()
  /** The last one used is the last one. */
  readonly #compiled = new Map<string, WherePredicate>()

  constructor(limits: WhereLimits) {
    this.#limits = limits
  }

  /** @throws {WhereError | LimitExceededError} */
  parse(text: string): EventPredicate {
    const { whereLengthMax } = this.#limits
    if (text.length > whereLengthMax)
      throw new LimitExceededError(
        `where is ${text.length} characters long, the limit is ${whereLengthMax} (limits.where_length)`,
      )
    const predicate = this.#compiled.get(text) ?? new WherePredicate(this, text, compiled(text))
    this.#compiled.delete(text)
    this.#compiled.set(text, predicate)
    if (this.#compiled.size > COMPILED_MAX)
      this.#compiled.delete(this.#compiled.keys().next().value!)
    return predicate
  }

  evaluate(program: Program, event: PublishedEvent): boolean {
    const size = event.payload.text.length + event.path.length
    const stepsMax = Math.min(
      this.#limits.whereStepsMax,
      STEPS_PER_EVENT + STEPS_PER_CHARACTER * size,
    )
    const outcome = program.evaluate(this.#variables.of(event), stepsMax)
    if (outcome === 'failed') this.failures++
    return outcome === 'true'
  }
}

/*
 * What an event of a few hundred characters may take, whatever the limit is: great ones are rare, and a loop in a loop in
 * a loop over three labels would take as much of every one of them. A loop over what is in the event stays below.
 */
const STEPS_PER_EVENT = 500
const STEPS_PER_CHARACTER = 2

/** Expressions that are not compiled again when a client comes back. Open ones that fall out stay with their streams. */
const COMPILED_MAX = 1_000

export type WhereErrorCode = (WhereError | LimitExceededError)['code']

/** The expression of a request is wrong. */
export class WhereError extends PubSubError {
  readonly code = 'BAD_QUERY'
  constructor(text: string, { message, start }: CelError) {
    const column = Array.from(text.slice(0, start)).length + 1 // an emoji is one character
    super(`where: ${onOneLine(message)} at column ${column}: ${marked(text, start)}`)
  }
}

class WherePredicate implements EventPredicate {
  readonly key: string
  readonly #program: Program
  readonly #expressions: WhereExpressions

  constructor(expressions: WhereExpressions, text: string, program: Program) {
    this.#expressions = expressions
    this.key = `where ${text}`
    this.#program = program
  }

  matches(event: PublishedEvent): boolean {
    return this.#expressions.evaluate(this.#program, event)
  }
}

function compiled(text: string): Program {
  try {
    return compile(text)
  } catch (error) {
    throw error instanceof CelError ? new WhereError(text, error) : error
  }
}

/** Characters that are shown on either side of the place. */
const SHOWN = 24

/** The text around the place, which stands behind the arrow: `a == >>>) && b`. */
function marked(text: string, start: number): string {
  const before = text.slice(Math.max(0, start - SHOWN), start)
  const behind = text.slice(start, start + SHOWN)
  return onOneLine(
    `${start > SHOWN ? '…' : ''}${before}>>>${behind}${text.length > start + SHOWN ? '…' : ''}`,
  )
}

/** Nothing that is not to be printed reaches a terminal, and no text that is not well-formed a decoder. */
function onOneLine(text: string): string {
  return text
    .toWellFormed()
    .replace(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}

/** Control, format and unassigned characters, and separators of lines and paragraphs. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu
