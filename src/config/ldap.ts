import { canonicalDn } from '../auth/distinguished-name.ts'
import { membershipFilter } from '../auth/membership-filter.ts'
import { OptionError } from '../auth/option-error.ts'
import { readAll } from '../settings/config-error.ts'
import { placeBelow, refuse, shown } from '../settings/place.ts'
import { judged, optional, required, sectionReader, setting } from '../settings/section.ts'
import { certificateFile } from './tls.ts'
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
import type { YamlEntry, YamlNode } from '../settings/yaml-node.ts'

/** What an LDAP entry's members are allowed. */
interface LdapGroup {
  /** Segment name to topics; a segment without topics covers every private event. */
  readonly segments: ReadonlyMap<string, readonly string[]>
  readonly secureTopics: readonly string[]
}

/** No URL with credentials: `user_dn` says who binds. The message does not show them. */
const uri: Reader<string> = (node, place) => {
  const value = text(node, place)
  const url = URL.canParse(value) ? new URL(value) : null
  if (url && /^ldaps?:$/.test(url.protocol) && url.hostname && !url.username && !url.password)
    return value
  return refuse(place, 'must be ldap:// or ldaps:// and a host, such as ldaps://ldap.example.org')
}

const userDn: Reader<string> = (node, place) => {
  const value = text(node, place)
  if (value.split('%s').length === 2) return value
  return refuse(place, `must have %s exactly once, where the user name goes, not ${shown(value)}`)
}

const membershipPattern: Reader<string> = (node, place) => {
  const pattern = withoutLastColon(node) ?? text(node, place)
  try {
    membershipFilter(pattern)
    return pattern
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    return refuse(place, `cannot work: ${error.message}`, error)
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

const ldapSection = sectionReader({
  /** `ldap://` or `ldaps://`, host, and port if not the usual one. */
  uri: required('uri', uri),
  /** The DN a user binds as; `%s` is the user name. */
  userDn: required('user_dn', userDn),
  /** The DN below which memberships are searched. */
  baseScope: required('base_scope', dn),
  /** Filters that find a user's groups; `%s` is the user name. None: only the user's own DN counts. */
  membershipPatterns: setting('membership_patterns', [], list(membershipPattern)),
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
})

export const ldap = judged(ldapSection, (settings, place) => {
  if (settings.startTls && settings.uri.toLowerCase().startsWith('ldaps:'))
    refuse(
      placeBelow(place, 'starttls', place),
      'is for ldap:// only; ldaps:// is encrypted from the start',
    )
  return settings
})
