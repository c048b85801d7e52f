import type { Entry } from 'ldapts'
import { valueInRdn } from './distinguished-name.ts'
import { userPattern, type FilterPattern } from './filter-pattern.ts'
import { isSameName } from './name.ts'
import { OptionError } from './option-error.ts'

/** The filter that finds the entry of a user, and what it says about the names by which an entry goes. */
export class UserFilter {
  readonly #pattern: FilterPattern
  readonly #assertions: readonly Assertion[]

  /** @throws {OptionError} it is no filter that compares an attribute with `%s`. */
  constructor(filter: string) {
    this.#pattern = userPattern(filter)
    this.#assertions = Array.from(
      filter.matchAll(ASSERTION),
      ([, attribute = '', before = '', behind = '']) => ({
        attribute: attribute.toLowerCase(),
        before,
        behind,
      }),
    )
    if (this.#assertions.length === 0)
      throw new OptionError(
        `filter ${JSON.stringify(filter)} compares no attribute with the name, as (uid=%s) does, so that nobody's name is known`,
      )
  }

  /** What has the names of an entry. */
  get attributes(): string[] {
    return [...new Set(this.#assertions.map(({ attribute }) => attribute))]
  }

  filterFor(name: string): string {
    return this.#pattern({ s: name, d: null })
  }

  /**
   * The names by which the filter finds this entry, as it has them. The first one is the same whichever was typed: of the
   * attribute that the filter names first, the value that is also in the DN, or else comes first in order.
   */
  namesIn(entry: Entry): readonly string[] {
    const { attributes } = this
    const values = new Map(
      Object.entries(entry).map(([attribute, value]) => [attribute.toLowerCase(), textsOf(value)]),
    )
    // A directory may answer by another name of an attribute that was asked for: `uid` for `userid`.
    const others = [...values].flatMap(([attribute, texts]) =>
      attribute === 'dn' || attributes.includes(attribute) ? [] : texts,
    )
    const names = this.#assertions.flatMap(({ attribute, before, behind }) => {
      const inDn = valueInRdn(entry.dn, attribute)
      const own = values.get(attribute) ?? []
      return (own.length > 0 ? own : others)
        .toSorted((a, b) => Number(b === inDn) - Number(a === inDn) || (a < b ? -1 : 1))
        .filter(
          (value) =>
            value.length > before.length + behind.length &&
            isSameName(value.slice(0, before.length), before) &&
            isSameName(value.slice(value.length - behind.length), behind),
        )
        .map((value) => value.slice(before.length, value.length - behind.length))
    })
    return [...new Set(names)]
  }
}

/** A comparison of an attribute with a name, and what the value has around it. */
interface Assertion {
  readonly attribute: string
  readonly before: string
  readonly behind: string
}

/** `(uid=%s)`, `(uid~=%s)`, `(uid:caseIgnoreMatch:=%s)`, `(userPrincipalName=%s@example.org)`, without escapes and asterisks. */
const ASSERTION =
  /(?:^|\() *([a-z][a-z\d-]*)(?::[\w.:-]*)? *[~<>]?=([^()*\\%]*)%s([^()*\\%]*)(?:\)|$)/gi

/** Without those that are no text. */
function textsOf(value: Entry[string]): readonly string[] {
  const values: readonly (Buffer | string)[] = Array.isArray(value) ? value : [value]
  return values.filter((each) => typeof each === 'string')
}
