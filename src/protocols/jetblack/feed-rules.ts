import { ADMIN } from './admin.ts'
import type { Allowed, FeedSettings } from './settings.ts'

export type Role = 'subscribe' | 'publish' | 'notify' | 'authorize'

type FeedRule = readonly [pattern: string, settings: FeedSettings]

/** Who may do what on which feed. */
export class FeedRules {
  readonly #rules: readonly FeedRule[]
  /** That of the feed that was asked about last, which is asked about several times for each message. */
  #last: { readonly feed: string; readonly rule: FeedRule | undefined } | null = null

  constructor(rules: readonly FeedRule[]) {
    this.#rules = rules
  }

  allows(role: Role, feed: string, user: string): boolean {
    // Everybody may hear it, and nobody else than the server speaks there.
    if (feed === ADMIN) return role === 'subscribe'
    const allowed = this.#ruleOf(feed)?.[role] ?? (role === 'authorize' ? [] : 'any')
    return allowed === 'any' || allowed.includes(user)
  }

  /** Whether a subscription needs the answer of somebody. */
  hasAuthorisers(feed: string): boolean {
    const allowed = this.authorisersOf(feed)
    return allowed === 'any' || allowed.length > 0
  }

  /** Whose answer it needs. */
  authorisersOf(feed: string): Allowed {
    return feed === ADMIN ? [] : (this.#ruleOf(feed)?.authorize ?? [])
  }

  /** Whether a subscription begins with the last event. */
  showsLast(feed: string): boolean {
    return feed !== ADMIN && this.#ruleOf(feed)?.image === 'last'
  }

  /** Of what comes by another door. `null`: none. */
  entitlementsOf(feed: string): readonly number[] | null {
    const entitlements = this.#ruleOf(feed)?.entitlements ?? []
    return entitlements.length === 0 ? null : entitlements
  }

  /** The one that decides about a feed. */
  ruleOf(feed: string): FeedRule | undefined {
    if (this.#last?.feed !== feed)
      this.#last = { feed, rule: this.#rules.find(([pattern]) => matchesPattern(pattern, feed)) }
    return this.#last.rule
  }

  #ruleOf(feed: string): FeedSettings | undefined {
    return this.ruleOf(feed)?.[1]
  }
}

/**
 * `*`: any characters; `?`: one. Where a part does not fit, only the last asterisk takes one character more, so it takes as many steps as
 * pattern and text are long, multiplied: a pattern is the operator's.
 */
export function matchesPattern(pattern: string, text: string): boolean {
  const wanted = Array.from(pattern)
  const given = Array.from(text)
  let [at, star, resume] = [0, -1, 0]
  for (let next = 0; next < given.length;) {
    if (wanted[at] === '*') {
      star = at++
      resume = next
    } else if (at < wanted.length && (wanted[at] === '?' || wanted[at] === given[next])) {
      at++
      next++
    } else if (star >= 0) {
      at = star + 1
      next = ++resume
    } else return false
  }
  while (wanted[at] === '*') at++
  return at === wanted.length
}
