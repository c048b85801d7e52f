import { printable } from '../ops/logger.ts'

/** More warnings than this help nobody, and a hostile file could cause millions. */
const WARNINGS_MAX = 100

/** What the operator should know about a file that can be used all the same. */
export class Warnings {
  readonly #texts: string[] = []
  #leftOut = 0

  /** A text that takes time to make is made only if it is shown. */
  add(text: string | (() => string)): void {
    if (this.#texts.length < WARNINGS_MAX)
      this.#texts.push(printable(typeof text === 'string' ? text : text()))
    else this.#leftOut++
  }

  get texts(): readonly string[] {
    if (this.#leftOut === 0) return this.#texts
    return [...this.#texts, `${this.#leftOut} more warnings are not shown`]
  }
}
