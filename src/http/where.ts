import { LimitExceededError, OverloadedError, PubSubError } from '../hub/errors.ts'
import type { PublishedEvent } from '../hub/event.ts'
import type { EventPredicate } from '../hub/predicate.ts'
import { CelError, compile, type Program } from './cel.ts'
import { EventVariables } from './event-variables.ts'

export interface WhereLimits {
  /** Characters of an expression. */
  readonly whereLengthMax: number
  /** Steps of one evaluation. */
  readonly whereStepsMax: number
  /** Distinct expressions of all open streams. */
  readonly whereExpressionsMax: number
}

/** The expressions by which open streams choose among events (`?where=`), each compiled once. */
export class WhereExpressions {
  /** Evaluations that came to nothing: a member was missing or of another type, or the work exceeded the limit. */
  failures = 0
  readonly #limits: WhereLimits
  readonly #variables = new EventVariables()
  readonly #open = new Map<string, WherePredicate>()

  constructor(limits: WhereLimits) {
    this.#limits = limits
  }

  /** Different expressions that are open. */
  get size(): number {
    return this.#open.size
  }

  /**
   * For one stream. To be closed with it.
   * @throws {WhereError | LimitExceededError | OverloadedError}
   */
  open(text: string): EventPredicate {
    const { whereLengthMax, whereStepsMax, whereExpressionsMax } = this.#limits
    if (text.length > whereLengthMax)
      throw new LimitExceededError(
        `where is ${text.length} characters long, the limit is ${whereLengthMax} (limits.where_length)`,
      )
    let predicate = this.#open.get(text)
    if (predicate === undefined) {
      predicate = new WherePredicate(this, this.#variables, text, compiled(text, whereStepsMax))
      if (this.#open.size >= whereExpressionsMax)
        throw new OverloadedError(
          `the open streams have ${this.#open.size} different where expressions, ` +
            'which is the limit (limits.where_expressions)',
        )
      this.#open.set(text, predicate)
    }
    predicate.streams++
    return predicate
  }

  close({ key }: EventPredicate): void {
    const predicate = this.#open.get(key)
    if (predicate !== undefined && --predicate.streams === 0) this.#open.delete(key)
  }
}

/** The expression of a request is wrong. */
export class WhereError extends PubSubError {
  readonly code = 'BAD_QUERY'
  constructor(text: string, { message, start }: CelError) {
    const column = Array.from(text.slice(0, start)).length + 1 // an emoji is one character
    super(`where: ${onOneLine(message)} at column ${column}: ${marked(text, start)}`)
  }
}

class WherePredicate implements EventPredicate {
  /** Those who have opened it. */
  streams = 0
  readonly key: string
  readonly #program: Program
  readonly #owner: WhereExpressions
  readonly #variables: EventVariables

  constructor(owner: WhereExpressions, variables: EventVariables, key: string, program: Program) {
    this.#owner = owner
    this.#variables = variables
    this.key = key
    this.#program = program
  }

  matches(event: PublishedEvent): boolean {
    const outcome = this.#program.evaluate(this.#variables.of(event))
    if (outcome === 'failed') this.#owner.failures++
    return outcome === 'true'
  }
}

function compiled(text: string, stepsMax: number): Program {
  try {
    return compile(text, stepsMax)
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

/** Of what is not to be printed nothing reaches a terminal, nor a text that is not well-formed a decoder. */
function onOneLine(text: string): string {
  return text
    .toWellFormed()
    .replace(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}

/** Control, format and unassigned characters, and separators of lines and paragraphs. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu
