import { createRequire } from 'node:module'
import { escapeDnValue } from './distinguished-name.ts'
import { OptionError } from './option-error.ts'

const require = createRequire(import.meta.url)

/** What stands for the placeholders of a pattern. */
export interface FilterValues {
  /** For `%s`: the name of a user. */
  readonly s: string
  /** For `%d`: the DN of its entry. `null`: it is not known, and the pattern must not ask for it. */
  readonly d: string | null
}

export type FilterPattern = (values: FilterValues) => string

/**
 * Makes the filters that find the groups of a user from a pattern such as `(member=uid=%s,ou=people,dc=example,dc=org)` or
 * `(member=%d)`, with or without its outer parentheses. Whatever stands for a placeholder can change nothing about the filter
 * but the value it stands in.
 * @throws {OptionError} the pattern is no filter with `%s` or `%d`.
 */
export function membershipPattern(pattern: string): FilterPattern {
  const refuse = refusalOf('membership pattern', pattern)
  if (!/%[sd]/.test(pattern)) throw refuse('has no %s for the user name and no %d for its DN')
  return filterPattern(pattern, refuse)
}

/**
 * Likewise of the filter that finds the entry of a user, before its DN is known.
 * @throws {OptionError} it is no filter with `%s`, or has a `%d`.
 */
export function userPattern(pattern: string): FilterPattern {
  const refuse = refusalOf('filter', pattern)
  if (!pattern.includes('%s')) throw refuse('has no %s for the user name')
  if (pattern.includes('%d')) throw refuse('has %d, but is what finds the DN')
  return filterPattern(pattern, refuse)
}

function refusalOf(kind: string, pattern: string): (why: string) => OptionError {
  return (why) => new OptionError(`${kind} ${JSON.stringify(pattern)} ${why}`)
}

function filterPattern(pattern: string, refuse: (why: string) => OptionError): FilterPattern {
  if (pattern.endsWith(':')) throw refuse('ends with a colon, which is no part of a filter')
  const whole = pattern.trimStart().startsWith('(') ? pattern : `(${pattern})`
  const filterFor = ({ s, d }: FilterValues) =>
    whole.replace(VALUE, (value) =>
      value.replace(PLACEHOLDER, (placeholder) => {
        const text = placeholder === '%s' ? s : d
        // An empty DN would be a value like any other, and groups without members have it.
        if (!text) throw new Error(`nothing stands for ${placeholder} in ${pattern}`)
        return escapeFilterValue(isInDn(value, placeholder) ? escapeDnValue(text) : text)
      }),
    )
  try {
    // Only where a directory is configured: it is a tenth of what a server loads.
    const { FilterParser } = require('ldapts') as typeof import('ldapts')
    FilterParser.parseString(filterFor({ s: 'name', d: 'cn=name' }))
  } catch (error) {
    throw new OptionError(refuse('is no LDAP filter').message, { cause: error })
  }
  return filterFor
}

/** RFC 4515, section 3. */
export function escapeFilterValue(value: string): string {
  return value.replace(
    /[*()\\\0]/g,
    (character) => `\\${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

/** A filter's assertion from its `=` on; parentheses within values are always escaped. */
const VALUE = /=[^()]*/g

const PLACEHOLDER = /%[sd]/g

/** Whether a placeholder follows an attribute type of its own, as in `=uid=%s,ou=people`. */
function isInDn(value: string, placeholder: string): boolean {
  return value
    .split(/[,+]/)
    .some((part) => ATTRIBUTE_TYPE.test(part.slice(0, Math.max(0, part.lastIndexOf(placeholder)))))
}

const ATTRIBUTE_TYPE = /(?:^|[=*]) *[a-z\d][\w.-]* *=/i
