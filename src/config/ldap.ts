import { placeBelow, refuse, shown } from '../settings/place.ts'
import { optional, required, sectionReader, setting } from '../settings/section.ts'
import { certificateFile } from './tls.ts'
import {
  anyText,
  boolean,
  duration,
  integer,
  list,
  map,
  text,
  type Reader,
} from '../settings/values.ts'

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
  if (node.type === 'map')
    refuse(place, 'must list texts (a colon at the end of a pattern makes it a map: take it off)')
  const value = text(node, place)
  if (!value.includes('%s'))
    refuse(place, `must each have %s, where the user name goes; ${shown(value)} has none`)
  if (value.endsWith(':')) refuse(place, `must not end with a colon as ${shown(value)} does`)
  return value
}

const SECURE_TOPICS_KEY = 'topics'

const group: Reader<LdapGroup> = (node, place) => {
  if (node.type === 'list')
    refuse(
      place,
      'must be a map of segment name to list of topics, such as "committers: [commit]", not a list',
    )
  const segments = new Map(map(list(anyText))(node, place))
  const secureTopics = segments.get(SECURE_TOPICS_KEY) ?? []
  segments.delete(SECURE_TOPICS_KEY)
  return { segments, secureTopics }
}

const ldapSection = sectionReader({
  /** `ldap://` or `ldaps://`, host, and port if not the usual one. */
  uri: required('uri', uri),
  /** The DN a user binds as; `%s` is the user name. */
  userDn: required('user_dn', userDn),
  /** The DN below which memberships are searched. */
  baseScope: required('base_scope', text),
  /** Filters that find a user's groups; `%s` is the user name. None: only the user's own DN counts. */
  membershipPatterns: setting('membership_patterns', [], list(membershipPattern)),
  /** Entry DN, as written, to what its members are allowed. */
  acl: required('acl', map(group)),
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

export type LdapSettings = ReturnType<typeof ldapSection>

export const ldap: Reader<LdapSettings> = (node, place) => {
  const settings = ldapSection(node, place)
  if (settings.startTls && settings.uri.toLowerCase().startsWith('ldaps:'))
    refuse(
      placeBelow(place, 'starttls', place),
      'is for ldap:// only; ldaps:// is encrypted from the start',
    )
  return settings
}
