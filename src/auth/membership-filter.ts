import { FilterParser } from 'ldapts'
import { escapeDnValue } from './distinguished-name.ts'
import { OptionError } from './option-error.ts'

/**
 * Makes the LDAP filter for a user from a membership pattern such as `member=uid=%s,ou=people,dc=example,dc=org`, with or
 * without its outer parentheses. A name can change nothing about the filter but the value it stands for.
 * @throws {OptionError} the pattern is no filter with `%s`.
 */
export function membershipFilter(pattern: string): (name: string) => string {
  const refuse = (why: string) =>
    new OptionError(`membership pattern ${JSON.stringify(pattern)} ${why}`)
  if (!pattern.includes('%s')) throw refuse('has no %s for the user name')
  // PyPubSub's example file has one, which makes a YAML map of the pattern.
  if (pattern.endsWith(':')) throw refuse('ends with a colon, which is no part of a filter')

  const filterFor = (name: string) =>
    pattern.replace(VALUE, (value) => value.replaceAll('%s', () => escapeFor(value, name)))
  try {
    FilterParser.parseString(filterFor('name'))
  } catch (error) {
    throw new OptionError(refuse('is no LDAP filter').message, { cause: error })
  }
  return filterFor
}

/** RFC 4515, section 3. */
function escapeFilterValue(value: string): string {
  return value.replace(
    /[*()\\\0]/g,
    (character) => `\\${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

function escapeFor(value: string, name: string): string {
  return escapeFilterValue(isInDn(value) ? escapeDnValue(name) : name)
}

/** A filter's assertion from its `=` on; parentheses within values are always escaped. */
const VALUE = /=[^()]*/g

/** Whether a `%s` follows an attribute type of its own, as in `=uid=%s,ou=people`. */
function isInDn(value: string): boolean {
  return value
    .split(/[,+]/)
    .some((part) => ATTRIBUTE_TYPE.test(part.slice(0, Math.max(0, part.lastIndexOf('%s')))))
}

const ATTRIBUTE_TYPE = /(?:^|[=*]) *[a-z\d][\w.-]* *=/i
