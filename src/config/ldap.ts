import { canonicalDn, isInSubtree, nameInDn } from '../auth/distinguished-name.ts'
import { membershipPattern } from '../auth/filter-pattern.ts'
import { OptionError } from '../auth/option-error.ts'
import { UserFilter } from '../auth/user-filter.ts'
import { ConfigError, readAll } from '../settings/config-error.ts'
import { describePlace, placeBelow, refuse, shown, type Place } from '../settings/place.ts'
import { judged, optional, required, sectionReader, setting } from '../settings/section.ts'
import { certificateFile } from '../settings/tls.ts'
import {
  anyText,
  boolean,
  duration,
  entriesOf,
  integer,
  isGiven,
  list,
  map,
  text,
  type Reader,
} from '../settings/values.ts'
import { bindPattern, startTlsFits, uri } from '../settings/directory.ts'
import { readTextFile } from '../settings/text-file.ts'
import type { YamlEntry, YamlNode } from '../settings/yaml-node.ts'

/** What an LDAP entry's members are allowed. */
interface LdapGroup {
  /** Segment name to topics; a segment without topics covers every private event. */
  readonly segments: ReadonlyMap<string, readonly string[]>
  readonly secureTopics: readonly string[]
}

const groupPattern: Reader<string> = (node, place) => {
  const pattern = withoutLastColon(node) ?? text(node, place)
  mustWork(() => membershipPattern(pattern), place)
  return pattern
}

const userFilter: Reader<string> = (node, place) => {
  const filter = text(node, place)
  mustWork(() => new UserFilter(filter), place)
  return filter
}

function mustWork(use: () => unknown, place: Place): void {
  try {
    use()
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    refuse(place, `cannot work: ${error.message}`, error)
  }
}

/** PyPubSub's example has a colon behind a pattern, which makes a map of it. `null`: there is none. */
function withoutLastColon(node: YamlNode): string | null {
  if (node.type === 'map' && node.entries.size === 1) {
    const [[key, { value }]] = [...node.entries] as [[string, YamlEntry]]
    return isGiven(value) ? null : key
  }
  const written = node.type === 'scalar' ? node.text : null
  return written?.endsWith(':') === true ? written.slice(0, -1) : null
}

const SECURE_TOPICS_KEY = 'topics'

/** The segment of a group that lists its topics without a name, as in PyPubSub's example. */
export const ONLY_SEGMENT = ''

const group: Reader<LdapGroup> = (node, place) => {
  if (node.type === 'list') {
    const topics = list(anyText)(node, place)
    if (topics.length === 0)
      refuse(place, 'must list topics; where all private events are meant, write "all: []"')
    return { segments: new Map([[ONLY_SEGMENT, topics]]), secureTopics: [] }
  }
  const segments = new Map(map(list(anyText))(node, place))
  const secureTopics = segments.get(SECURE_TOPICS_KEY) ?? []
  segments.delete(SECURE_TOPICS_KEY)
  return { segments, secureTopics }
}

const dn: Reader<string> = (node, place) => {
  const value = text(node, place)
  return canonicalDn(value) === null ? refuse(place, `${shown(value)} ${NO_DN}`) : value
}

const NO_DN =
  'is no DN, such as ou=groups,dc=example,dc=org (RFC 4514: a backslash before , + " \\ < > ; in a name)'

/** Entry DN, as written, to what its members are allowed. No DN stands there twice, in whatever spelling. */
const groups: Reader<ReadonlyMap<string, LdapGroup>> = (node, place) => {
  const spellings = new Map<string, string>()
  const entries = readAll(entriesOf(node, place), ([key, entry]): [string, LdapGroup] => {
    const below = placeBelow(place, key, entry)
    const canonical = canonicalDn(key) ?? refuse(below, NO_DN)
    const other = spellings.get(canonical)
    if (other !== undefined) refuse(below, `is the same DN as ${shown(other)}`)
    spellings.set(canonical, key)
    return [key, group(entry.value, below)]
  })
  return new Map(entries)
}

/** Active Directory takes `domain\user` and `user@domain`, too. */
const bindName: Reader<string> = (node, place) => {
  const value = text(node, place)
  if (/[=@\\]/.test(value)) return value
  return refuse(place, `must be a DN, or user@domain, or domain\\user, not ${shown(value)}`)
}

const passwordFile: Reader<string> = (node, place) => {
  const file = text(node, place)
  let password: string
  try {
    password = readTextFile(file).replace(/\r?\n$/, '')
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return refuse(place, `is not usable: ${error.message}`, error)
  }
  // To bind without a password succeeds for any name in many directories, and then sees what everybody sees.
  if (password !== '' && !/[\0\r\n]/.test(password)) return password
  return refuse(place, `must name a file with one line, the password; ${file} has none, or more`)
}

/**
 * An attribute, perhaps with a matching rule behind a colon: that of Active Directory follows nested groups. What it is in a
 * filter, where another colon follows, with which it would have to be quoted in YAML.
 */
const attribute: Reader<string> = (node, place) => {
  const value = text(node, place)
  const [, name, rule] = /^([a-z][a-z\d-]*)(?::([a-z\d][\w.-]*):?)?$/i.exec(value) ?? []
  if (name !== undefined) return rule === undefined ? name : `${name}:${rule}:`
  return refuse(
    place,
    `must be an attribute such as memberOf, or memberOf:1.2.840.113556.1.4.1941, not ${shown(value)}`,
  )
}

const searchSection = sectionReader(
  {
    /** Who searches for users and groups. None: users are searched for without a log-in, and their groups as themselves. */
    bindDn: optional('bind_dn', bindName),
    /** Has that one's password, so that it stands in no file that others may read. */
    password: optional('password_file', passwordFile),
    /** The DN below which users are. */
    base: required('base', dn),
    /** The filter that finds a user; `%s` is the name. */
    filter: required('filter', userFilter),
  },
  [
    ({ bindDn, password }, place) => {
      if (isText(bindDn) && password === null)
        refuse(placeBelow(place, 'bind_dn', place), 'needs password_file, a file with its password')
      if (isText(password) && bindDn === null)
        refuse(placeBelow(place, 'password_file', place), 'needs bind_dn, whose password it has')
    },
  ],
)

const userSearch = judged(searchSection, ({ bindDn, password, base, filter }) => {
  const bindAs = bindDn === null ? null : { dn: bindDn, password: password! }
  return { bindAs, base, filter }
})

export const ldap = sectionReader(
  {
    /** `ldap://` or `ldaps://`, host, and port if not the usual one. */
    uri: required('uri', uri),
    /** The DN a user binds as; `%s` is the user name. None: `search` finds it. */
    userDn: optional('user_dn', bindPattern),
    /** How the entry of a user is found, where the name is no part of its DN. None: `user_dn` says it. */
    search: optional('search', userSearch),
    /** The DN below which memberships are searched. */
    baseScope: required('base_scope', dn),
    /** Filters that a user's groups match; `%s` is the user name, `%d` the DN. Without any only the user's own DN counts. */
    membershipPatterns: setting('membership_patterns', [], list(groupPattern)),
    /** The attribute of a user's entry that names its groups. None: many directories have no such attribute. */
    memberOf: optional('member_of', attribute),
    acl: required('acl', groups),
    /** Off, as a drop-in must not change what goes over the wire; `ldaps://` is encrypted anyway. */
    startTls: setting('starttls', false, boolean),
    /** PEM certificates to trust instead of those that come with Node. */
    ca: optional('ca', certificateFile),
    /** A login is answered within 10 s, so no longer than that. */
    timeoutMs: setting('timeout', 10_000, duration(100, 10_000)),
    /** How long a login's answer is used again: page loads come in bursts, and 30 s is no long time to be wrong. */
    cacheMs: setting('cache', 30_000, duration(0, 86_400_000)),
    /** How often the directory is asked again while a stream is open: rights withdrawn there must end here. */
    recheckMs: setting('recheck', 300_000, duration(1_000, 86_400_000)),
    /** How long open streams keep their rights while the directory is away: a restart of it, not a weekend. */
    graceMs: setting('grace', 3_600_000, duration(0, 7 * 86_400_000)),
    /** Connections to the directory at once: logins are short, and directories count their clients. */
    connectionsMax: setting('connections_max', 4, integer(1, 256)),
  },
  [
    startTlsFits,
    ({ userDn, search }, place) => {
      if (userDn === null && search === null)
        refuse(
          placeBelow(place, 'user_dn', place),
          'is missing, and so is search: one of them must say whose password is tried',
        )
      if (userDn !== null && search !== null && userDn !== undefined && search !== undefined)
        refuse(placeBelow(place, 'search', place), 'finds the DN of a user, so take out user_dn')
    },
    ({ userDn, membershipPatterns, memberOf }, place) => {
      const asksForDn =
        isText(memberOf) || membershipPatterns?.some((each) => each.includes('%d')) === true
      if (asksForDn && isText(userDn) && canonicalDn(userDn) === null)
        refuse(
          placeBelow(place, 'user_dn', place),
          `is no DN, which %d and member_of need, but ${shown(userDn)}; take search in its place`,
        )
    },
    // A mistyped base_scope would give nobody anything, without a word.
    ({ userDn, search, baseScope, acl }, place) => {
      if (baseScope === undefined) return
      for (const entry of acl?.keys() ?? []) {
        const isUser = search
          ? isInSubtree(entry, search.base)
          : nameInDn(entry, userDn ?? '') !== null
        if (!isUser && !isInSubtree(entry, baseScope))
          place.warnings.add(
            `${describePlace(place)} has ${shown(entry)} in its acl, which is not below base_scope ${shown(baseScope)}: nobody has its rights`,
          )
      }
    },
  ],
)

function isText(value: string | null | undefined): value is string {
  return typeof value === 'string'
}
